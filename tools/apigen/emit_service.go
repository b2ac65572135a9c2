package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

func (u *unit) emitErrors(p *printer) error {
	p.uses("millrace/internal/api")
	for _, e := range u.exceptions() {
		s := u.m.Shapes[e]
		name := exported(e)
		status, kind := http.StatusBadRequest, "ClientError"
		if s.Fault {
			status, kind = http.StatusInternalServerError, "ServerError"
		}
		if s.Error != nil && s.Error.HTTPStatusCode != 0 {
			status = s.Error.HTTPStatusCode
		}
		extra := ""
		if status != http.StatusBadRequest && status != http.StatusInternalServerError {
			extra += fmt.Sprintf("\te.Status = %d\n", status)
		}
		if s.Error != nil && s.Error.Code != "" && s.Error.Code != e {
			extra += fmt.Sprintf("\te.QueryCode = %q\n", s.Error.Code)
		}
		if u.m.speaks("smithy-rpc-v2-cbor") && slices.ContainsFunc(s.Members, func(mem member) bool { return mem.name == "Message" }) {
			extra += "\te.MessageKey = \"Message\"\n" // the protocol's clients take names to the letter
		}
		args := "message string"
		if len(extraMembers(s)) > 0 {
			args += ", fields *" + name + "Fields"
			extra += "\te.Fields, e.FieldsShape = fields, &shapes()[shape" + name + "Fields]\n"
		}
		p.f("// %s is answered with status %d.\nfunc %s(%s) *api.Error {\n", name, status, name, args)
		if extra == "" {
			p.f("\treturn api.%s(%q, message)\n}\n\n", kind, e)
			continue
		}
		p.f("\te := api.%s(%q, message)\n%s\treturn e\n}\n\n", kind, e, extra)
	}
	return nil
}

func (u *unit) emitService(p *printer) error {
	protocols, err := u.m.protocols()
	if err != nil {
		return err
	}
	p.uses("context")
	p.uses("millrace/internal/api")
	p.f(`// Service is what serves the operations. A method gets input that its model allows and answers a
// non-nil output or an error; an *api.Error reaches the client as it is, any other error as
// InternalFailure. Slices and strings of the input live until the answer is sent, those of the output
// must: see api.Call.OnSent.
`)
	p.f("type Service interface {\n")
	for _, op := range u.ops {
		p.f("%s(ctx context.Context, in *%sInput) (*%sOutput, error)\n", op, op, op)
	}
	p.f("}\n\n// Unimplemented answers every operation as AWS answers one that does not exist. Embed it and\n")
	p.f("// define the methods that are served.\ntype Unimplemented struct{}\n\nvar _ Service = Unimplemented{}\n\n")
	for _, op := range u.ops {
		p.f("// %s is not served.\nfunc (Unimplemented) %s(context.Context, *%sInput) (*%sOutput, error) {\n", op, op, op, op)
		p.f("return nil, api.UnknownOperation()\n}\n\n")
	}
	u.emitBind(p, protocols)
	return nil
}

// streamOf is the member of an operation's answer that is a stream of events, if there is one.
func (u *unit) streamOf(op string) string {
	o := u.m.Operations[op].Output
	if o == nil {
		return ""
	}
	for _, mem := range u.m.Shapes[o.Shape].Members {
		if u.m.Shapes[mem.Shape].EventStream {
			return mem.name
		}
	}
	return ""
}

func (u *unit) emitBind(p *printer, protocols []string) {
	md := u.m.Metadata
	p.f("// Bind makes svc ready for the front.\nfunc Bind(svc Service) *api.Binding {\n\ts := shapes()\n")
	p.f("\treturn &api.Binding{\nName: %q, APIVersion: %q, TargetPrefix: %q, JSONVersion: %q,\nProtocols: []api.Protocol{%s},\n",
		md.signingName(), md.APIVersion, md.TargetPrefix, md.JSONVersion, strings.Join(protocols, ", "))
	if u.m.speaks("query") {
		p.f("XMLNamespace: %q,\n", md.XMLNamespace)
	}
	if md.AWSQueryCompatible != nil {
		p.f("QueryCompatible: true, ErrorPrefix: %q,\n", md.errorPrefix())
	}
	if u.svc.cbor {
		p.f("CBOR: true,\n")
	}
	if u.svc.dynamodb {
		p.f("Dialect: api.DialectDynamoDB,\n")
	}
	p.f("Operations: map[string]*api.Operation{\n")
	for _, op := range u.ops {
		p.f("%q: {\nName: %q, Input: &s[shape%sInput],", op, op, op)
		if u.m.Operations[op].Output != nil {
			p.f(" Output: &s[shape%sOutput],", op)
		}
		if limit := u.svc.bodyLimits[op]; limit > 0 {
			p.f(" BodyLimit: %d,", limit)
		}
		p.f("\nNew: func() any { return new(%sInput) },\n", op)
		p.f("Invoke: func(ctx context.Context, in any) (any, error) {\n")
		p.f("return answer(svc.%s(ctx, in.(*%sInput)))\n},\n", op, op)
		if stream := u.streamOf(op); stream != "" {
			p.uses("iter")
			p.f("Events: func(out any) iter.Seq2[any, error] { return api.Events(out.(*%sOutput).%s) },\n", op, exported(stream))
		}
		p.f("},\n")
	}
	p.f("},\n}\n}\n\n")
	p.f(`// answer keeps a nil output from becoming a non-nil any.
func answer[T any](out *T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	if out == nil {
		out = new(T)
	}
	return out, nil
}
`)
}
