package aws

import (
	"millrace/internal/api"
	"millrace/internal/wire/aws/codec"
)

// glanceLimit bounds the bodies that are looked at before anyone has signed for them: as much as is
// read and thrown away (drainMax) is more, and no SDK sends a larger one to an operation of control.
const glanceLimit = 64 << 10

var (
	glanced  = &operation{limit: glanceLimit}
	anything = &api.Shape{Kind: api.KindStruct}
)

// refuse answers a request that is turned away before its body was needed. AWS reads first: a body that
// is no object is a SerializationException, whatever else is wrong with the request. Larger bodies, and
// those of unknown length, are not looked at.
//
// Source: kinesalite, test/connection.js (read 2026-11)
func (s *Server) refuse(x *exchange, e *api.Error) {
	if x.length > 0 && x.length <= glanceLimit && x.format != formatXML {
		if err := s.readBody(x, glanced); err != nil {
			e = err
		} else if err := s.unpack(x, glanceLimit); err != nil {
			e = err
		} else if !x.isObject() {
			e = api.SerializationError("")
		}
	}
	s.fail(x, e)
}

// isObject says whether the body can be read in the request's format at all.
func (x *exchange) isObject() bool {
	switch x.format {
	case formatQuery:
		return true
	case formatCBOR, formatRPC:
		return codec.DecodeCBOR(x.data, anything, new(struct{})) == nil
	default:
		return codec.DecodeJSON(x.data, anything, new(struct{})) == nil
	}
}
