package hot

import (
	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
)

// action reads one action of TransactWriteItems; one that is none or several is left to the general codec.
func (r *reading) action() bool {
	a, to := grow(&r.actions), grow(&r.actionOf)
	if !r.take('{') {
		return false
	}
	name, ok := r.key()
	if !ok {
		return false
	}
	switch string(name) {
	case "Put":
		p := &to.put
		a.Put = p
		ok = r.parts(parts{"Item", &p.Item, &p.TableName, &p.ConditionExpression, nil, &p.ExpressionAttributeNames, &p.ExpressionAttributeValues, &p.ReturnValuesOnConditionCheckFailure})
	case "Delete":
		d := &to.del
		a.Delete = d
		ok = r.parts(parts{"Key", &d.Key, &d.TableName, &d.ConditionExpression, nil, &d.ExpressionAttributeNames, &d.ExpressionAttributeValues, &d.ReturnValuesOnConditionCheckFailure})
	case "Update":
		u := &to.update
		a.Update = u
		ok = r.parts(parts{"Key", &u.Key, &u.TableName, &u.ConditionExpression, &to.text, &u.ExpressionAttributeNames, &u.ExpressionAttributeValues, &u.ReturnValuesOnConditionCheckFailure}) && to.text != nil
		if ok {
			u.UpdateExpression = *to.text
		}
	case "ConditionCheck":
		c := &to.check
		a.ConditionCheck = c
		ok = r.parts(parts{"Key", &c.Key, &c.TableName, &to.text, nil, &c.ExpressionAttributeNames, &c.ExpressionAttributeValues, &c.ReturnValuesOnConditionCheckFailure}) && to.text != nil
		if ok {
			c.ConditionExpression = *to.text
		}
	default:
		return false
	}
	return ok && r.take('}')
}

// parts are where the members of an action go.
type parts struct {
	item      string // "Item" or "Key"
	image     *api.JSON
	table     *string
	condition **string
	update    **string // nil: has none
	names     *map[string]string
	values    *api.JSON
	onFailure **dynamodbapi.ReturnValuesOnConditionCheckFailure
}

func (r *reading) parts(p parts) bool {
	ok := r.members(func(name []byte) bool {
		if string(name) == p.item {
			return r.value(p.image)
		}
		switch string(name) {
		case "TableName":
			return r.table(p.table)
		case "ConditionExpression":
			return r.expression(p.condition)
		case "UpdateExpression":
			return p.update != nil && r.expression(p.update)
		case "ExpressionAttributeNames":
			return r.aliases(p.names)
		case "ExpressionAttributeValues":
			return r.value(p.values)
		case "ReturnValuesOnConditionCheckFailure":
			return oneOf(r, p.onFailure, onFailures)
		}
		return false
	})
	return ok && *p.table != "" && *p.image != nil
}
