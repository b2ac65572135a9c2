package expr

import (
	"cmp"
	"slices"
)

// pathNode is a position in an item that paths go through or end at. The paths of a projection or update, merged into
// a tree of these, are walked beside the item once.
type pathNode struct {
	step Step
	// end is the number of the path that ends here, −1 for none; then there are no kids.
	end  int
	kids []*pathNode // by name first, then by index; only one of both unless the paths clash
}

// mergePaths makes the tree of paths, numbered as they come.
//
// An error is the first pair of paths of which one holds the other or, when there is none, the first that take one value
// for a map and for a list. The work grows with the steps, not with the pairs: an expression can have 1,000
// paths into one attribute.
func mergePaths(k Kind, paths []Path) (*pathNode, error) {
	root := &pathNode{end: -1}
	conflict := -1
	for i, p := range paths {
		n := root
		for _, s := range p {
			if n.end >= 0 {
				return nil, clash(k, textOverlap, paths[:i+1], overlap)
			}
			if conflict < 0 && len(n.kids) > 0 && n.kids[0].step.IsIndex() != s.IsIndex() {
				conflict = i
			}
			n = n.kid(s)
		}
		if n.end >= 0 || len(n.kids) > 0 {
			return nil, clash(k, textOverlap, paths[:i+1], overlap)
		}
		n.end = i
	}
	if conflict >= 0 {
		return nil, clash(k, textConflict, paths[:conflict+1], conflicting)
	}
	return root, nil
}

// kid is the child at a step, made if need be.
func (n *pathNode) kid(s Step) *pathNode {
	i, ok := slices.BinarySearchFunc(n.kids, s, func(kid *pathNode, s Step) int {
		return cmp.Or(cmp.Compare(kid.step.Index, s.Index), cmp.Compare(kid.step.Name, s.Name))
	})
	if !ok {
		n.kids = slices.Insert(n.kids, i, &pathNode{step: s, end: -1})
	}
	return n.kids[i]
}

// clash names the last path and the first before it that is at odds with it.
func clash(k Kind, text string, paths []Path, odds func(one, two Path) bool) error {
	last := paths[len(paths)-1]
	one := slices.IndexFunc(paths, func(p Path) bool { return odds(p, last) })
	return invalidf(k, text, paths[one], last)
}

// overlap says that one path holds the other.
func overlap(one, two Path) bool {
	n := min(len(one), len(two))
	return slices.Equal(one[:n], two[:n])
}

// conflicting says that where the paths part, one goes into a map and the other into a list.
func conflicting(one, two Path) bool {
	for i := range min(len(one), len(two)) {
		if one[i] != two[i] {
			return one[i].IsIndex() != two[i].IsIndex()
		}
	}
	return false
}
