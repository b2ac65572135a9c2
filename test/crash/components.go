package crash

// components returns the strongly connected components of a graph that have more than one node, by Tarjan's algorithm with a
// stack of its own: histories are deeper than what recursion likes.
func components(edges [][]edge) [][]int {
	g := &tarjan{edges: edges, index: make([]int, len(edges)), low: make([]int, len(edges)), on: make([]bool, len(edges))}
	for n := range edges {
		if g.index[n] == 0 {
			g.visit(n)
		}
	}
	return g.found
}

type tarjan struct {
	edges [][]edge
	index []int // order of discovery from 1; 0: not seen
	low   []int // least index that is reached
	on    []bool
	stack []int
	next  int
	found [][]int
}

// frame is one node whose edges are being followed.
type frame struct{ node, edge int }

func (g *tarjan) enter(n int) frame {
	g.next++
	g.index[n], g.low[n], g.on[n] = g.next, g.next, true
	g.stack = append(g.stack, n)
	return frame{node: n}
}

func (g *tarjan) visit(root int) {
	for calls := []frame{g.enter(root)}; len(calls) > 0; {
		f := &calls[len(calls)-1]
		if f.edge < len(g.edges[f.node]) {
			to := g.edges[f.node][f.edge].to
			f.edge++
			switch {
			case g.index[to] == 0:
				calls = append(calls, g.enter(to))
			case g.on[to]:
				g.low[f.node] = min(g.low[f.node], g.index[to])
			}
			continue
		}
		node := f.node
		calls = calls[:len(calls)-1]
		if len(calls) > 0 {
			parent := calls[len(calls)-1].node
			g.low[parent] = min(g.low[parent], g.low[node])
		}
		if g.low[node] == g.index[node] {
			g.leave(node)
		}
	}
}

// leave takes the component that began with node off the stack.
func (g *tarjan) leave(node int) {
	at := len(g.stack) - 1
	for g.stack[at] != node {
		at--
	}
	for _, n := range g.stack[at:] {
		g.on[n] = false
	}
	if len(g.stack)-at > 1 {
		g.found = append(g.found, append([]int(nil), g.stack[at:]...))
	}
	g.stack = g.stack[:at]
}
