package expr

import (
	"slices"
	"strings"
)

// Name is an entry of ExpressionAttributeNames: #alias and the name it stands for.
type Name struct{ Alias, Name string }

// Names are the ExpressionAttributeNames of a request, sorted by alias; nil when it has none, not nil but empty when it has
// an empty map.
type Names []Name

// NewNames sorts entries in place and makes them Names; of entries with one alias the last stays.
func NewNames(entries []Name) Names {
	slices.SortStableFunc(entries, func(a, b Name) int { return strings.Compare(a.Alias, b.Alias) })
	out := entries[:0]
	for i, e := range entries {
		if i+1 < len(entries) && entries[i+1].Alias == e.Alias {
			continue
		}
		out = append(out, e)
	}
	return out
}

// position is where alias is.
func (n Names) position(alias string) (int, bool) {
	return slices.BinarySearchFunc(n, alias, func(e Name, alias string) int { return strings.Compare(e.Alias, alias) })
}

// find is the name that alias stands for.
func (n Names) find(alias string) (string, bool) {
	i, ok := n.position(alias)
	if !ok {
		return "", false
	}
	return n[i].Name, true
}

// within says that all entries together take at most limit bytes.
func (n Names) within(limit int) bool {
	for _, e := range n {
		limit -= len(e.Alias) + len(e.Name)
		if limit < 0 {
			return false
		}
	}
	return limit >= 0
}

func (n Names) clone() Names {
	out := slices.Clone(n)
	for i, e := range out {
		out[i] = Name{strings.Clone(e.Alias), strings.Clone(e.Name)}
	}
	return out
}

const (
	maxAlias         = 255   // bytes of an alias or value name with its # or : (developer guide, "Constraints")
	maxAttributeName = 65535 // bytes of the name of an attribute
)

// check finds what is wrong with the entries themselves.
func (n Names) check() error {
	if len(n) == 0 {
		return errorf(textEmptyMap, "ExpressionAttributeNames")
	}
	for _, e := range n {
		if err := checkReference("ExpressionAttributeNames", e.Alias, '#'); err != nil {
			return err
		}
	}
	for _, e := range n {
		switch {
		case e.Name == "":
			return errorf(textNameValue, "Empty attribute name", e.Alias)
		case len(e.Name) > maxAttributeName:
			return errorf(textNameValue, "Attribute name is too large, must be less than 65536 bytes", e.Alias)
		}
	}
	return nil
}

// checkReference checks a key of ExpressionAttributeNames or ExpressionAttributeValues.
func checkReference(parameter, key string, first byte) error {
	switch {
	case len(key) > maxAlias:
		return errorf(textKeyLong, key)
	case !isReference(key, first):
		return errorf(textMapKey, parameter, key)
	}
	return nil
}
