package value

import "encoding/binary"

// Value decodes r; strings alias the stored bytes.
//
// Errors: ErrCorrupt.
func (r Raw) Value() (Value, error) { return r.value(1) }

// value decodes r, which lies at depth.
func (r Raw) value(depth int) (Value, error) {
	switch kind := r.Kind(); kind {
	case KindS, KindB:
		n, k := binary.Uvarint(r[1:])
		if k <= 0 || n != uint64(len(r)-1-k) {
			return Value{}, ErrCorrupt
		}
		v := Binary(r[1+k:])
		v.kind = kind
		return v, nil
	case KindN:
		n, rest, err := DecodeOrdered(r[1:])
		if err != nil || len(rest) != 0 {
			return Value{}, ErrCorrupt
		}
		return Num(n), nil
	case KindBOOL, KindNULL:
		if len(r) != 1 {
			return Value{}, ErrCorrupt
		}
		return Value{kind: kind, flag: r[0] == tagTrue}, nil
	case KindNone:
		return Value{}, ErrCorrupt
	default:
		e, rest, ok := openElems(r[1:])
		if !ok || len(rest) != 0 {
			return Value{}, ErrCorrupt
		}
		return e.value(kind, depth)
	}
}

// value decodes a container of kind that lies at depth.
func (e *Elems) value(kind Kind, depth int) (Value, error) {
	switch kind {
	case KindM:
		m, err := e.item(depth + 1)
		return Map(m), err
	case KindL:
		return e.list(depth + 1)
	case KindNS:
		return e.numbers()
	default:
		return e.strings(kind)
	}
}

// item decodes attributes that lie at depth.
func (e *Elems) item(depth int) (Item, error) {
	if depth > MaxDepth && e.n > 0 {
		return nil, ErrCorrupt
	}
	out := make(Item, e.n)
	for i := range out {
		name, r := e.Attr(i)
		if r == nil || i > 0 && name <= out[i-1].Name {
			return nil, ErrCorrupt
		}
		v, err := r.value(depth)
		if err != nil {
			return nil, err
		}
		out[i] = Attr{name, v}
	}
	return out, nil
}

func (e *Elems) list(depth int) (Value, error) {
	if depth > MaxDepth && e.n > 0 {
		return Value{}, ErrCorrupt
	}
	out := make([]Value, e.n)
	for i := range out {
		v, err := Raw(e.At(i)).value(depth)
		if err != nil {
			return Value{}, err
		}
		out[i] = v
	}
	return List(out), nil
}

func (e *Elems) strings(kind Kind) (Value, error) {
	if e.n == 0 {
		return Value{}, ErrCorrupt
	}
	out := make([]string, e.n)
	for i := range out {
		b := e.At(i)
		if b == nil {
			return Value{}, ErrCorrupt
		}
		out[i] = aliasString(b)
		if i > 0 && out[i-1] >= out[i] {
			return Value{}, ErrCorrupt
		}
	}
	return sortedStrings(kind, out), nil
}

func (e *Elems) numbers() (Value, error) {
	if e.n == 0 {
		return Value{}, ErrCorrupt
	}
	out := make([]Number, e.n)
	for i := range out {
		n, rest, err := DecodeOrdered(e.At(i))
		if err != nil || len(rest) != 0 || i > 0 && out[i-1].Compare(n) >= 0 {
			return Value{}, ErrCorrupt
		}
		out[i] = n
	}
	return sortedNumbers(out), nil
}
