package codec

import (
	"reflect"

	"millrace/internal/api"
)

// maxDepth is how deep values may nest, unknown ones included. The deepest real request nests about
// ten; recursion past this would let a small body use a large stack.
const maxDepth = 64

// DecodeJSON reads an awsJson body into the struct that in points to. The error is a
// SerializationException as AWS words it; what the model forbids is left to api.Validate.
func DecodeJSON(body []byte, shape *api.Shape, in any) *api.Error {
	return Memory(nil).DecodeJSON(body, shape, in)
}

// DecodeJSON is the function of that name, within m.
func (m Memory) DecodeJSON(body []byte, shape *api.Shape, in any) *api.Error {
	return m.decode(decoder{r: &jsonReader{data: body}}, len(body), shape, in)
}

// DecodeCBOR reads an application/x-amz-cbor-1.1 body into the struct that in points to, like
// DecodeJSON. Blobs may be pieces of the body.
func DecodeCBOR(body []byte, shape *api.Shape, in any) *api.Error {
	return Memory(nil).DecodeCBOR(body, shape, in)
}

// DecodeCBOR is the function of that name, within m.
func (m Memory) DecodeCBOR(body []byte, shape *api.Shape, in any) *api.Error {
	return m.decode(decoder{r: &cborReader{data: body}}, len(body), shape, in)
}

// DecodeRPC reads a body of Smithy RPC v2 CBOR, which differs in its times: seconds, with a fraction. Operations without
// input may have an empty body.
func DecodeRPC(body []byte, shape *api.Shape, in any) *api.Error {
	return Memory(nil).DecodeRPC(body, shape, in)
}

// DecodeRPC is the function of that name, within m.
func (m Memory) DecodeRPC(body []byte, shape *api.Shape, in any) *api.Error {
	if len(body) == 0 {
		body = []byte{majorMap << 5}
	}
	return m.decode(decoder{r: &cborReader{data: body, rpc: true}}, len(body), shape, in)
}

func (m Memory) decode(d decoder, size int, shape *api.Shape, in any) *api.Error {
	d.budget = newBudget(size, m)
	k, err := d.r.peek()
	if err != nil || k != kindMap {
		return api.SerializationError("")
	}
	if err := d.structure(shape, reflect.ValueOf(in).Elem()); err != nil {
		return err
	}
	if !d.r.end() {
		return api.SerializationError("")
	}
	return nil
}

type decoder struct {
	r      reader
	dynamo *jsonReader // r, when the texts are DynamoDB's
	elem   bool        // the next value is in a list or map
	depth  int
	budget budget
}

func syntax() *api.Error { return api.SerializationError("") }

// spend takes n bytes from the allocation budget.
func (d *decoder) spend(n int) *api.Error { return d.budget.spend(n, syntax) }

func (d *decoder) enter() *api.Error {
	if d.depth++; d.depth > maxDepth {
		return syntax()
	}
	return nil
}

// structure reads a map into a zero struct and notes which required members it did not have.
func (d *decoder) structure(s *api.Shape, val reflect.Value) *api.Error {
	if err := d.enter(); err != nil {
		return err
	}
	d.r.begin()
	var seen uint64
	hint := 0
	for {
		key, ok, err := d.r.key()
		if err != nil {
			return syntax()
		}
		if !ok {
			break
		}
		i := findMember(s, key, hint)
		if i < 0 {
			if err := d.skip(); err != nil {
				return err
			}
			continue
		}
		hint = i + 1
		set, aerr := d.member(&s.Members[i], val.Field(s.Members[i].Index))
		if aerr != nil {
			return aerr
		}
		if set {
			seen |= 1 << uint(i)
		} else {
			seen &^= 1 << uint(i)
		}
	}
	d.depth--
	noteMissing(s, val, seen)
	return nil
}

// findMember gives the index of the member called key, looking first where it is if the members come
// in the model's order; -1 when there is none.
func findMember(s *api.Shape, key []byte, hint int) int {
	if hint < len(s.Members) && s.Members[hint].Name == string(key) {
		return hint
	}
	for i := range s.Members {
		if s.Members[i].Name == string(key) && s.Members[i].Shape.Kind != api.KindStream {
			return i
		}
	}
	return -1
}

func noteMissing(s *api.Shape, val reflect.Value, seen uint64) {
	t, ok := reflect.TypeAssert[api.Tracker](val.Addr())
	if !ok {
		return
	}
	for i := range s.Members {
		if m := &s.Members[i]; m.Plain() && i < 64 && seen>>uint(i)&1 == 0 {
			t.MissingMembers().Add(m.Index)
		}
	}
}

// member reads a value into a field. A null leaves the field empty and gives false.
func (d *decoder) member(m *api.Member, field reflect.Value) (bool, *api.Error) {
	k, err := d.r.peek()
	if err != nil {
		return false, syntax()
	}
	field.SetZero()
	if k == kindNull {
		d.r.null()
		return false, nil
	}
	if field.Kind() == reflect.Pointer {
		if err := d.spend(int(field.Type().Elem().Size())); err != nil {
			return false, err
		}
		p := reflect.New(field.Type().Elem())
		field.Set(p)
		field = p.Elem()
	}
	d.elem = false
	return true, d.value(m.Shape, k, field)
}

// value reads the next value, of kind k and not null, into an empty val.
func (d *decoder) value(s *api.Shape, k kind, val reflect.Value) *api.Error {
	if d.dynamo != nil && !fits(s, k) {
		return d.dynamoMismatch(s, k)
	}
	switch s.Kind {
	case api.KindString:
		return d.text(k, val)
	case api.KindBlob:
		return d.blob(k, val)
	case api.KindBool:
		return d.boolean(k, val)
	case api.KindInt32:
		return d.integer(k, val, "Integer", minInt32, maxInt32)
	case api.KindInt64:
		return d.integer(k, val, "Long", minInt64, maxInt64)
	case api.KindFloat32:
		return d.float(k, val, "Float")
	case api.KindFloat64:
		return d.float(k, val, "Double")
	case api.KindTimestamp:
		return d.timestamp(k, val)
	case api.KindList:
		return d.list(s, k, val)
	case api.KindMap:
		return d.entries(s, k, val)
	case api.KindJSON:
		return d.json(val)
	default:
		if k != kindMap {
			return mismatch(k, "Expected null", listFound, "")
		}
		return d.structure(s, val)
	}
}

// fits says whether a value of kind k can be of a shape; a text that is no boolean is found later.
func fits(s *api.Shape, k kind) bool {
	switch s.Kind {
	case api.KindString, api.KindBlob:
		return k == kindText
	case api.KindBool:
		return k == kindBool || k == kindText
	case api.KindInt32, api.KindInt64, api.KindFloat32, api.KindFloat64, api.KindTimestamp:
		return k == kindNumber
	case api.KindList:
		return k == kindList
	case api.KindJSON:
		return true
	default:
		return k == kindMap
	}
}

// rawDepth is how much deeper than others a value may nest that stays JSON: its service has a bound of its own, with
// a text of its own.
const rawDepth = 1000

// json keeps the text of a value; only bodies in JSON have such.
func (d *decoder) json(val reflect.Value) *api.Error {
	r, ok := d.r.(*jsonReader)
	if !ok {
		return syntax()
	}
	start := r.pos
	d.depth -= rawDepth
	if err := d.skip(); err != nil {
		return err
	}
	d.depth += rawDepth
	val.SetBytes(r.data[start:r.pos:r.pos])
	return nil
}

func (d *decoder) list(s *api.Shape, k kind, val reflect.Value) *api.Error {
	if k != kindList {
		return mismatch(k, "Expected list or null", "", dictFound)
	}
	if err := d.enter(); err != nil {
		return err
	}
	d.r.begin()
	val.Set(reflect.MakeSlice(val.Type(), 0, 0))
	size := int(val.Type().Elem().Size())
	for n := 0; ; n++ {
		more, err := d.r.more()
		if err != nil {
			return syntax()
		}
		if !more {
			break
		}
		if s.HasMax && int64(n) > s.Max {
			if err := d.skip(); err != nil {
				return err
			}
			continue
		}
		if err := d.spend(size); err != nil {
			return err
		}
		val.Grow(1)
		val.SetLen(n + 1)
		if err := d.element(s.Elem, val.Index(n)); err != nil {
			return err
		}
	}
	d.depth--
	return nil
}

// element reads one element of a list or map. A null structure has no members, any other null is
// the empty value.
func (d *decoder) element(s *api.Shape, val reflect.Value) *api.Error {
	k, err := d.r.peek()
	if err != nil {
		return syntax()
	}
	if k != kindNull {
		d.elem = true
		return d.value(s, k, val)
	}
	d.r.null()
	if s.Kind == api.KindStruct {
		noteMissing(s, val, 0)
	}
	return nil
}

// mapEntrySize is a guess at what a map needs for each entry beside key and value.
const mapEntrySize = 48

func (d *decoder) entries(s *api.Shape, k kind, val reflect.Value) *api.Error {
	if k != kindMap {
		return mismatch(k, "Expected map or null", listFound, "")
	}
	if err := d.enter(); err != nil {
		return err
	}
	d.r.begin()
	val.Set(reflect.MakeMap(val.Type()))
	for {
		key, ok, err := d.r.key()
		if err != nil {
			return syntax()
		}
		if !ok {
			break
		}
		if err := d.spend(mapEntrySize + int(val.Type().Elem().Size())); err != nil {
			return err
		}
		name := reflect.New(val.Type().Key()).Elem()
		name.SetString(string(key))
		e := reflect.New(val.Type().Elem()).Elem()
		k, err := d.r.peek()
		if err != nil {
			return syntax()
		}
		if k == kindNull { // an entry without a value is no entry
			d.r.null()
			continue
		}
		d.elem = true
		if err := d.value(s.Elem, k, e); err != nil {
			return err
		}
		val.SetMapIndex(name, e)
	}
	d.depth--
	return nil
}

// skip reads past a value nobody asked for.
func (d *decoder) skip() *api.Error {
	k, err := d.r.peek()
	if err != nil {
		return syntax()
	}
	switch k {
	case kindNull:
		d.r.null()
	case kindBool:
		d.r.boolean()
	case kindNumber:
		_, err = d.r.number()
	case kindText:
		_, err = d.r.text()
	case kindBytes:
		_, _, err = d.r.bytes()
	case kindList, kindMap:
		return d.skipInside(k)
	}
	if err != nil {
		return syntax()
	}
	return nil
}

func (d *decoder) skipInside(k kind) *api.Error {
	if err := d.enter(); err != nil {
		return err
	}
	d.r.begin()
	for {
		var more bool
		var err error
		if k == kindList {
			more, err = d.r.more()
		} else {
			_, more, err = d.r.key()
		}
		if err != nil {
			return syntax()
		}
		if !more {
			d.depth--
			return nil
		}
		if err := d.skip(); err != nil {
			return err
		}
	}
}
