package expr

// Kind is a kind of expression; it says which grammar holds and how texts call it.
type Kind uint8

// The kinds of expressions, as the parameters of a request.
const (
	ConditionExpression Kind = iota
	FilterExpression
	KeyConditionExpression
	ProjectionExpression
	UpdateExpression
)

var kindNames = [...]string{
	"ConditionExpression", "FilterExpression", "KeyConditionExpression", "ProjectionExpression", "UpdateExpression",
}

// String is the name of the parameter.
func (k Kind) String() string { return kindNames[k] }

// op is an operator or function.
type op uint8

const (
	opNone op = iota
	opAnd
	opOr
	opNot
	opEQ
	opNE
	opLT
	opLE
	opGT
	opGE
	opBetween
	opIn
	opPlus
	opMinus
	opExists
	opNotExists
	opType
	opBeginsWith
	opContains
	opSize
	opIfNotExists
	opListAppend
)

// opNames are the names of operators and functions in AWS's texts.
var opNames = [...]string{
	opNone: "", opAnd: "AND", opOr: "OR", opNot: "NOT",
	opEQ: "=", opNE: "<>", opLT: "<", opLE: "<=", opGT: ">", opGE: ">=",
	opBetween: "BETWEEN", opIn: "IN", opPlus: "+", opMinus: "-",
	opExists: "attribute_exists", opNotExists: "attribute_not_exists", opType: "attribute_type",
	opBeginsWith: "begins_with", opContains: "contains", opSize: "size",
	opIfNotExists: "if_not_exists", opListAppend: "list_append",
}

func (o op) String() string { return opNames[o] }

// functionNamed is the function of a name, which has one case only; opNone when there is none.
func functionNamed(name string) op {
	for o := opExists; o <= opListAppend; o++ {
		if opNames[o] == name {
			return o
		}
	}
	return opNone
}

// predicate says that the function is true or false, and so stands where a condition does.
func (o op) predicate() bool { return opExists <= o && o <= opContains }

// node is a condition: AND, OR and NOT have kids, all others args.
type node struct {
	op   op
	kids []*node
	args []*operand
}

type operandKind uint8

const (
	operandPath operandKind = iota
	operandValue
	operandCall // size, if_not_exists, list_append, + and −; a predicate only in an expression with a fault
)

// operand is a path, a value of the request, or what a function or + makes of operands.
type operand struct {
	kind operandKind
	path Path
	// missing is the first alias of path that the request does not define, in an expression that is refused for it.
	missing string
	slot    int // operandValue: index into program.values
	op      op
	args    []*operand
	parens  bool // stood in parentheses, in an update
}

// action is one clause of an update expression.
type action struct {
	verb    verb
	path    Path
	missing string
	operand *operand // nil for REMOVE
}

// verb is a section of an update expression.
type verb uint8

const (
	verbSet verb = iota
	verbRemove
	verbAdd
	verbDelete
)

var verbNames = [...]string{"SET", "REMOVE", "ADD", "DELETE"}

func (v verb) String() string { return verbNames[v] }

// program is a parsed expression with its aliases resolved. It holds no value of a request, is immutable and
// shared by all requests with the same text and names.
type program struct {
	kind    Kind
	root    *node     // conditions
	paths   []operand // projections: operandPath
	actions []action  // updates
	tree    *pathNode // projections and updates: their paths, merged
	clash   error     // projections and updates: two paths overlap or conflict
	legacy  bool      // made of parameters of the older API
	values  []string  // the :values used, each once, in the order of the text
	aliases []string  // the #names used, each once, in the order of the text
}
