package expr

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"millrace/internal/service/dynamodb/value"
)

// Every text of AWS that this package answers is in this file, with where it was recorded:
//
//	D  tests of dynalite, which ran against the service (read 2026-11)
//	L  table of messages of DynamoDB Local (the sentence; what follows the semicolon is from elsewhere)
//	C  conformance suites run against the service in 2026 (nubo-db and paritysuite dynamodb-conformance, ExtendDB)
//	A  tests of ScyllaDB's Alternator, which ran against the service too (read 2026-11)
//	I  an error quoted in a public issue
//	–  no public record: worded as its neighbours are
//
// In some regions single-item writes put "1 validation error detected: " before these texts (C); that
// is the service's to add.
const (
	textEmpty           = "The expression can not be empty;"                                               // D L C
	textSize            = "Expression size has exceeded the maximum allowed size;"                         // L C; in 2021 with "expression size: 4109" (I)
	textParens          = "The expression has redundant parentheses;"                                      // D L C
	textSyntax          = "Syntax error; token: \"%s\", near: \"%s\""                                      // D C
	textOperators       = "The expression contains too many operators; operator count: %d"                 // L I
	textUnknownFunction = "Invalid function name; function: %s"                                            // D L
	textNotCondition    = "The function is not allowed in a condition expression; function: %s"            // L C
	textNotUpdate       = "The function is not allowed in an update expression; function: %s"              // L C
	textMisused         = "The function is not allowed to be used this way in an expression; function: %s" // D L C
	textReserved        = "Attribute name is a reserved keyword; reserved keyword: %s"                     // D C
	textSection         = "The \"%s\" section can only be used once in an update expression;"              // D L C
	textListIndex       = "List index is not within the allowable range; index: [%s]"                      // L I
	textDepth           = "The document path has too many nesting levels; nesting levels: %d"              // L, its end –

	textNoName       = "An expression attribute name used in the document path is not defined; attribute name: %s"                                                                              // D L C
	textNoValue      = "An expression attribute value used in expression is not defined; attribute value: %s"                                                                                   // D L C
	textCount        = "Incorrect number of operands for operator or function; operator or function: %s, number of operands: %d"                                                                // D L C
	textType         = "Incorrect operand type for operator or function; operator or function: %s, operand type: %s"                                                                            // D L C
	textActionType   = "Incorrect operand type for operator or function; operator: %s, operand type: %s, typeSet: ALLOWED_FOR_%s_OPERAND"                                                       // C I; before 2022 without typeSet (D)
	textNeedsPath    = "Operator or function requires a document path; operator or function: %s"                                                                                                // D L C
	textTypeName     = "Invalid attribute type name found; type: %s, valid types: {S,SS,N,NS,B,BS,BOOL,NULL,L,M}"                                                                               // D L C
	textDistinct     = "The first operand must be distinct from the remaining operands for this operator or function; operator: %s, first operand: %s"                                          // D L C
	textBetweenTypes = "The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: %s, upper bound operand: AttributeValue: %s"              // D L C
	textBetweenOrder = "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: %s, upper bound operand: AttributeValue: %s" // D L C
	textIn           = "The IN operator is provided with too many operands; number of operands: %d"                                                                                             // L I

	textOverlap  = "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: %s, path two: %s"  // D L C
	textConflict = "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: %s, path two: %s" // D L
)

// pathTypes is what attribute_type says of a path as its second operand (C): a path may hold any of these.
const pathTypes = "{S,SS,N,NS,B,BS,BOOL,NULL,L,M,HD,DOUBLE,FLOAT,HDS,FS,DOUBLESET,DICT,DECIMAL,INT,DECIMALSET,INTSET}"

// Errors of applying an update. They are answered as ValidationException, in a transaction as the reason
// of the action.
var (
	// ErrNoAttribute: a SET reads an attribute that the item lacks (D L).
	ErrNoAttribute = value.NewError("The provided expression refers to an attribute that does not exist in the item")
	// ErrPath: the parent of a path is missing, or neither map nor list as the path demands (D L C).
	ErrPath = value.NewError("The document path provided in the update expression is invalid for update")
	// ErrUpdateType: what the item holds does not fit +, -, list_append, ADD or DELETE (D L).
	ErrUpdateType = value.NewError("An operand in the update expression has an incorrect data type")
	// ErrLegacyType: the same for ADD and DELETE of AttributeUpdates (D L).
	ErrLegacyType = value.NewError("Type mismatch for attribute to update")
)

// Errors of key conditions.
var (
	errKeyNested     = value.NewError("KeyConditionExpressions cannot contain nested operations")                                         // D L
	errKeyPath       = value.NewError("KeyConditionExpressions cannot have conditions on nested attributes")                              // D L C
	errKeyMultiple   = value.NewError("Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition")      // D
	errKeyNone       = value.NewError("Invalid condition in KeyConditionExpression: No key attribute specified")                          // D
	errKeyTwice      = invalidf(KeyConditionExpression, "KeyConditionExpressions must only contain one condition per key")                // C; before 2026 without what stands before the colon (D L I)
	errKeyCount      = value.NewError("Conditions can be of length 1 or 2 only")                                                          // D L, of KeyConditions
	errKeyUnsuited   = value.NewError("Query key condition not supported")                                                                // D L
	errKeyType       = value.NewError("One or more parameter values were invalid: Condition parameter type does not match schema type")   // D
	errKeyIndexable  = value.NewError("Attempted conditional constraint is not an indexable operation")                                   // D L
	errKeyAbsent     = value.NewError("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")   // D L
	errLegacyBetween = value.NewError("The BETWEEN condition was provided a range where the lower bound is greater than the upper bound") // D L
	errLegacyMixed   = value.NewError(invalidValues + "AttributeValues inside AttributeValueList must be of same type")                   // D
	errOperatorAlone = value.NewError("ConditionalOperator cannot be used without Filter or Expected")                                    // D L C
	errOperatorOne   = value.NewError("ConditionalOperator can only be used when Filter or Expected has two or more elements")            // D L C
)

const (
	invalidValues = "One or more parameter values were invalid: "

	textKeyOperator = "Invalid operator used in KeyConditionExpression: %s"                                                                             // D L I
	textKeyFirst    = "Invalid condition in KeyConditionExpression: %s operator must have the key attribute as its first operand"                       // D
	textKeyCount    = "The number of query conditions (%d) exceeds the number of key attributes defined in the schema (%d)"                             // C
	textKeyMissed   = "Query condition missed key schema element: %s"                                                                                   // D C
	textKeyHash     = "HASH key attributes %s must have equality conditions specified in the query"                                                     // A, its end –
	textKeyGap      = "RANGE key attributes %s must have equality conditions specified in the query because a condition is present on key attribute %s" // C
	textKeyEmpty    = "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty %s value. Key: %s"    // C
	textKeyScalar   = "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: %s: %s"                              // D L

	textKeyUpdated  = invalidValues + "Cannot update attribute %s. This attribute is part of the key"            // D C
	textFilterKey   = "Filter Expression can only contain non-primary key attributes: Primary key attribute: %s" // D L
	textQueryFilter = "QueryFilter can only contain non-primary key attributes: Primary key attribute: %s"       // D L

	textMixed         = "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {%s} Expression parameters: {%s}"                                                                                   // D L C
	textNamesAlone    = "ExpressionAttributeNames can only be specified when using expressions"                                                                                                                                                        // D L
	textValuesBare    = "ExpressionAttributeValues can only be specified when using expressions"                                                                                                                                                       // C
	textValuesAlone   = "ExpressionAttributeValues can only be specified when using expressions: %s"                                                                                                                                                   // D L
	textEmptyMap      = "%s must not be empty"                                                                                                                                                                                                         // D L
	textMapKey        = "%s contains invalid key: Syntax error; key: \"%s\""                                                                                                                                                                           // D L C
	textNameValue     = "ExpressionAttributeNames contains invalid value: %s for key %s"                                                                                                                                                               // L, its end –
	textValuesValue   = "ExpressionAttributeValues contains invalid value: %s for key %s"                                                                                                                                                              // D
	textUnused        = "Value provided in %s unused in expressions: keys: {%s}"                                                                                                                                                                       // D L C
	textKeyLong       = "The expression attribute map contains a key that is too long; key: %s"                                                                                                                                                        // L, its end –
	textLegacyCount   = invalidValues + "Invalid number of argument(s) for the %s ComparisonOperator"                                                                                                                                                  // D
	textLegacyUnknown = "1 validation error detected: Value '%s' at 'comparisonOperator' failed to satisfy constraint: Member must satisfy enum value set: [IN, NULL, BETWEEN, LT, NOT_CONTAINS, EQ, GT, NOT_NULL, NE, LE, BEGINS_WITH, GE, CONTAINS]" // D
	textLegacyType    = invalidValues + "ComparisonOperator %s is not valid for %s AttributeValue type"                                                                                                                                                // D
	textDuplicate     = invalidValues + "Duplicate value in attribute name: %s"                                                                                                                                                                        // D
	textNoUpdate      = invalidValues + "Only DELETE action is allowed when no attribute value is specified"                                                                                                                                           // D
	textUpdateDelete  = invalidValues + "DELETE action with value is not supported for the type %s"                                                                                                                                                    // D
	textUpdateAdd     = invalidValues + "ADD action is not supported for the type %s"                                                                                                                                                                  // D

	// The texts about Expected (D).
	textExpectOperatorAlone = invalidValues + "Value or AttributeValueList must be used with ComparisonOperator: %s for Attribute: %s"
	textExpectOperator      = invalidValues + "Exists and ComparisonOperator cannot be used together for Attribute: %s"
	textExpectBoth          = invalidValues + "Value and AttributeValueList cannot be used together for Attribute: %s"
	textExpectList          = invalidValues + "AttributeValueList can only be used with a ComparisonOperator for Attribute: %s"
	textExpectValue         = invalidValues + "Value must be provided when Exists is %s for Attribute: %s"
	textExpectAbsent        = invalidValues + "Value cannot be used when Exists is false for Attribute: %s"
)

func errorf(format string, args ...any) error { return value.NewError(fmt.Sprintf(format, args...)) }

// invalidf is an error of the expression of kind k: "Invalid ConditionExpression: …".
func invalidf(k Kind, format string, args ...any) error {
	return value.NewError("Invalid " + k.String() + ": " + fmt.Sprintf(format, args...))
}

// keySet lists keys as Java prints a set, sorted since AWS promises no order.
func keySet(keys []string) string {
	slices.Sort(keys)
	return strings.Join(keys, ", ")
}

// shown is v as texts about BETWEEN show it: {N:5}, {B:YQ==}.
func shown(v value.Value) string {
	switch v.Kind() {
	case value.KindN:
		return "{N:" + v.Number().String() + "}"
	case value.KindB:
		return "{B:" + base64Text(v.Bytes()) + "}"
	default:
		return "{" + v.Kind().String() + ":" + v.Str() + "}"
	}
}

func base64Text(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
