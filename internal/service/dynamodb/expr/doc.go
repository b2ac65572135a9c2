// Package expr reads and evaluates DynamoDB's expressions, and the older parameters that said the same.
// It does no I/O and knows no table; values are those of package value.
//
// # From text to result
//
//	Request ── Cache.Compile ──► Plan: Condition, Update, KeyCondition, Filter, Projection
//	  parameters that exclude each other (request.go)
//	  Expected, AttributeUpdates, KeyConditions, …: comparisons ──► nodes (legacy.go)
//	  text ── cache by text and names (cache.go) ──► lexer.go ──► parser.go ──► program
//	  that and values of the request ── check.go ──► Condition, Update, …
//	  names and values that nothing uses
//
//	Condition.Holds   walks the nodes (condition.go)
//	Projection.Of     walks the tree of its paths beside the item (projection.go)
//	Update.Apply      evaluates all operands on the item as it was, then walks the tree of its paths (update.go, change.go)
//	KeyCondition.Plan fits the conditions to a key schema (keyplan.go)
//
// A program is a parsed expression whose #aliases are resolved; it holds no value of a request and is shared. All
// results are immutable and may be used by many goroutines.
//
// # Grammar
//
//	condition  = and { OR and }
//	and        = not { AND not }
//	not        = comparison | NOT not
//	comparison = operand ("=" | "<>" | "<" | "<=" | ">" | ">=") operand
//	           | operand BETWEEN operand AND operand
//	           | operand IN "(" operand { "," operand } ")"
//	           | predicate | "(" condition ")"
//	predicate  = attribute_exists "(" path ")" | attribute_not_exists "(" path ")" | attribute_type "(" path "," operand ")"
//	           | begins_with "(" operand "," operand ")" | contains "(" operand "," operand ")"
//	operand    = path | value | size "(" operand ")" | "(" operand ")"
//
//	projection = path { "," path }
//
//	update     = section { section }
//	section    = SET path "=" sum { "," path "=" sum } | REMOVE path { "," path }
//	           | ADD path value { "," path value } | DELETE path value { "," path value }
//	sum        = term [ ("+" | "-") term ] | "(" sum ")"
//	term       = path | value | if_not_exists "(" path "," term ")" | list_append "(" term "," term ")" | "(" term ")"
//
//	path       = name { "." name | "[" digits "]" }; in a condition its front may stand in parentheses
//	name       = word | "#" word       word: letters, digits, "_"; without "#" it begins with a letter and is not reserved
//	value      = ":" word
//
// Keywords have any case, functions are in lower case. Parentheses directly in parentheses are refused.
//
// # Order of errors
//
// AWS reports one error. Of an expression first what stops the parser; then, wherever in the text, too many operators,
// redundant parentheses, unknown functions, functions out of place, reserved words, indexes and depth, repeated
// sections; then, from left to right and operands before their operator, names and values that are not defined, counts
// and types of operands. Updates differ: all names and values, then overlapping paths, then the values of ADD and
// DELETE, then functions. Across expressions: in the order of the operation (request.go), and last what is unused.
//
// # Limits
//
// 4,096 bytes of text as it was sent, 300 operators and functions, 100 operands of IN, 32 steps of a path. The worst text takes 7 ms to
// parse; recursion is bounded by maxNesting, evaluation by the operators and the item.
//
// Sources: developer guide, "Expressions", "Legacy conditional parameters", "Constraints", "Reserved words" (read
// 2026-11); the texts as texts.go says.
package expr
