package expr

import (
	"slices"
	"strings"

	"millrace/internal/service/dynamodb/value"
)

// KeyAttribute is a key attribute with its type: KindS, KindN or KindB.
type KeyAttribute struct {
	Name string
	Kind value.Kind
}

// KeySchema are the key attributes of a table or index in their order: one to four partition attributes, none to
// four sort attributes.
type KeySchema struct{ Partition, Sort []KeyAttribute }

// RangeOp is a condition on the sort attribute behind those that are given.
type RangeOp uint8

// The conditions on a sort attribute. RangeAll is none.
const (
	RangeAll        RangeOp = iota
	RangeLess               // < High
	RangeAtMost             // ≤ High
	RangeGreater            // > Low
	RangeAtLeast            // ≥ Low
	RangeBetween            // Low ≤ … ≤ High
	RangeBeginsWith         // begins with Low, an S or B
)

// KeyPlan is which keys a Query reads: one partition, in it the sort keys that begin with Prefix and whose next attribute
// fulfils Op.
type KeyPlan struct {
	Partition []value.Value // one for each partition attribute
	Prefix    []value.Value // of the first sort attributes
	Op        RangeOp       // on the sort attribute number len(Prefix); RangeAll when there is none
	Low, High value.Value
}

// Plan finds the keys that the condition means under a schema.
//
// Errors, in AWS's order: too many conditions, a key attribute without one, types, operators that an attribute cannot
// have, empty keys. What a request gives for sort attributes goes from left to right without gaps: equalities, and at the
// last one any range.
func (k *KeyCondition) Plan(s KeySchema) (KeyPlan, error) {
	if err := k.checkAttributes(s); err != nil {
		return KeyPlan{}, err
	}
	if err := k.checkOperands(s); err != nil {
		return KeyPlan{}, err
	}
	var plan KeyPlan
	if len(k.unequal(s.Partition)) > 0 {
		return KeyPlan{}, errKeyUnsuited
	}
	for _, a := range s.Partition {
		part, _ := k.find(a.Name)
		plan.Partition = append(plan.Partition, part.low)
	}
	if err := k.sort(s.Sort, &plan); err != nil {
		return KeyPlan{}, err
	}
	return plan, k.checkEmpty()
}

// checkAttributes sees that the conditions are on key attributes, all of the partition among them; where those are several, AWS says
// at once which of them lack an equality.
func (k *KeyCondition) checkAttributes(s KeySchema) error {
	if most := len(s.Partition) + len(s.Sort); len(k.parts) > most {
		return k.tooMany(most)
	}
	if len(s.Partition) > 1 {
		if unequal := k.unequal(s.Partition); len(unequal) > 0 {
			return errorf(textKeyHash, strings.Join(unequal, ", "))
		}
	}
	for _, a := range s.Partition {
		if _, ok := k.find(a.Name); !ok {
			return errorf(textKeyMissed, a.Name)
		}
	}
	found := len(s.Partition)
	missed := ""
	for _, a := range s.Sort {
		if _, ok := k.find(a.Name); ok {
			found++
		} else if missed == "" {
			missed = a.Name
		}
	}
	if found < len(k.parts) {
		return errorf(textKeyMissed, missed)
	}
	return nil
}

// unequal names the attributes that have no condition of equality.
func (k *KeyCondition) unequal(attrs []KeyAttribute) []string {
	var names []string
	for _, a := range attrs {
		if part, ok := k.find(a.Name); !ok || part.op != opEQ {
			names = append(names, a.Name)
		}
	}
	return names
}

// tooMany says that there are more conditions than key attributes. What KeyConditions answers was recorded before keys had
// several.
func (k *KeyCondition) tooMany(most int) error {
	switch {
	case !k.parts[0].legacy:
		return errorf(textKeyCount, len(k.parts), most)
	case len(k.parts) > 2 && most <= 2:
		return errKeyCount
	default:
		return errKeyUnsuited
	}
}

// checkOperands sees that every operator can be one on a key, with values of the attribute's type.
func (k *KeyCondition) checkOperands(s KeySchema) error {
	for _, part := range k.parts {
		if part.legacy && !indexable(part.op) {
			return errKeyIndexable
		}
	}
	for _, a := range slices.Concat(s.Partition, s.Sort) {
		part, ok := k.find(a.Name)
		if ok && (part.low.Kind() != a.Kind || part.op == opBetween && part.high.Kind() != a.Kind) {
			return errKeyType
		}
	}
	return nil
}

func indexable(o op) bool {
	switch o {
	case opEQ, opLT, opLE, opGT, opGE, opBetween, opBeginsWith:
		return true
	default:
		return false
	}
}

// sort takes the conditions on sort attributes from left to right.
func (k *KeyCondition) sort(attrs []KeyAttribute, plan *KeyPlan) error {
	last := len(attrs) - 1
	for ; last >= 0; last-- {
		if _, ok := k.find(attrs[last].Name); ok {
			break
		}
	}
	var gaps []string
	for i, a := range attrs[:last+1] {
		part, ok := k.find(a.Name)
		switch {
		case ok && part.op == opEQ:
			plan.Prefix = append(plan.Prefix, part.low)
		case i < last:
			gaps = append(gaps, a.Name)
		default:
			plan.setRange(part)
		}
	}
	if len(gaps) > 0 {
		return errorf(textKeyGap, strings.Join(gaps, ", "), attrs[last].Name)
	}
	return nil
}

func (plan *KeyPlan) setRange(part keyPart) {
	plan.Low = part.low
	switch part.op {
	case opLT:
		plan.Op, plan.Low, plan.High = RangeLess, value.Value{}, part.low
	case opLE:
		plan.Op, plan.Low, plan.High = RangeAtMost, value.Value{}, part.low
	case opGT:
		plan.Op = RangeGreater
	case opGE:
		plan.Op = RangeAtLeast
	case opBetween:
		plan.Op, plan.High = RangeBetween, part.high
	default: // begins_with, the last that checkOperands lets through
		plan.Op = RangeBeginsWith
	}
}

// checkEmpty refuses empty strings and binaries, which no key attribute has.
func (k *KeyCondition) checkEmpty() error {
	for _, part := range k.parts {
		for _, v := range [...]value.Value{part.low, part.high} {
			switch {
			case v.Kind() == value.KindS && v.Len() == 0:
				return errorf(textKeyEmpty, "string", part.name)
			case v.Kind() == value.KindB && v.Len() == 0:
				return errorf(textKeyEmpty, "binary", part.name)
			}
		}
	}
	return nil
}
