package value

// Size is how many bytes AWS counts for v, without a name: as billed, and as held against the limit of
// 400 KB of an item.
func (v Value) Size() int {
	switch v.kind {
	case KindS, KindB:
		return int(v.n)
	case KindN:
		return v.Number().Size()
	case KindBOOL, KindNULL:
		return 1
	case KindM:
		return containerSize + len(v.Map()) + v.Map().Size()
	case KindL:
		n := containerSize + len(v.List())
		for _, e := range v.List() {
			n += e.Size()
		}
		return n
	case KindSS, KindBS:
		n := 0
		for _, s := range v.Strings() {
			n += len(s)
		}
		return n
	case KindNS:
		n := 0
		for _, e := range v.Numbers() {
			n += e.Size()
		}
		return n
	default:
		return 0
	}
}

// containerSize is what a list or map costs beside 1 byte for each element. Source: DynamoDB developer
// guide, "Item sizes and formats".
const containerSize = 3

// Size is how many bytes AWS counts for the attributes: names and values. Of a map that is an attribute,
// this is the content; Value.Size adds what the map itself costs.
func (m Item) Size() int {
	n := 0
	for _, a := range m {
		n += len(a.Name) + a.Value.Size()
	}
	return n
}

// Size is how many bytes AWS counts for n: 1, half a byte for each significant digit before and after
// the point, each half rounded up, and 1 when it is negative. Zero is 1.
func (n Number) Size() int {
	if n.IsZero() {
		return 1
	}
	d, exp := n.coef().digits(), int(n.exp)
	whole, frac := d, 0 // 1200: the trailing zeros do not count
	switch {
	case exp < 0 && d+exp <= 0: // 0.0012: nor do the leading ones
		whole, frac = 0, d
	case exp < 0:
		whole, frac = d+exp, -exp
	}
	size := 1 + (whole+1)/2 + (frac+1)/2
	if n.neg {
		size++
	}
	return size
}

// MaxDepth is how deep values may be nested: an attribute is level 1, and what a list or map holds is one
// level below it. Source: DynamoDB developer guide, "Constraints"; the service accepts a leaf below 31
// maps and refuses one below 32.
const MaxDepth = 32

// Depth is on how many levels v lies: 1 for a scalar, a set and an empty list or map.
func (v Value) Depth() int {
	deepest := 0
	for _, a := range v.Map() {
		deepest = max(deepest, a.Value.Depth())
	}
	for _, e := range v.List() {
		deepest = max(deepest, e.Depth())
	}
	return deepest + 1
}
