package golden

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// form is how a document writes what JSON and CBOR write differently: blobs and times.
type form struct {
	blob func([]byte) any
	time func(time.Time) any
}

var (
	jsonForm = form{
		blob: func(b []byte) any { return base64.StdEncoding.EncodeToString(b) },
		time: func(t time.Time) any { return float64(t.UnixMilli()) / 1000 },
	}
	cborForm = form{
		blob: func(b []byte) any { return b },
		time: func(t time.Time) any { return cbor.Tag{Number: 1, Content: float64(t.UnixMilli())} },
	}
)

// of gives a struct, or a pointer to one, as a document: maps by the names of the exported fields, numbers as
// float64. What is nil is left out, and so are empty strings where absent enums look like that (the SDK).
func (f form) of(value any) any { return f.value(reflect.ValueOf(value)) }

func (f form) value(v reflect.Value) any {
	switch x := v.Interface().(type) {
	case time.Time:
		return f.time(x)
	case []byte:
		return f.blob(x)
	}
	switch v.Kind() {
	case reflect.Pointer:
		return f.value(v.Elem())
	case reflect.Struct:
		return f.fields(v)
	case reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = f.value(v.Index(i))
		}
		return list
	case reflect.Map:
		entries := map[string]any{}
		for it := v.MapRange(); it.Next(); {
			entries[it.Key().String()] = f.value(it.Value())
		}
		return entries
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return v.Bool()
	case reflect.Int32, reflect.Int64:
		return float64(v.Int())
	case reflect.Float32, reflect.Float64:
		return v.Float()
	default:
		panic(fmt.Sprintf("golden: a document cannot hold %v", v.Type()))
	}
}

func (f form) fields(v reflect.Value) any {
	members := map[string]any{}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.IsExported() || field.Name == "ResultMetadata" || field.Type.Kind() == reflect.Func {
			continue
		}
		if k := field.Type.Kind(); v.Field(i).IsZero() && (k == reflect.Pointer || k == reflect.Slice || k == reflect.Map || k == reflect.String) {
			continue
		}
		members[field.Name] = f.value(v.Field(i))
	}
	return members
}

// set puts a document in JSON's form into a struct, by the names of its fields.
//
// Errors: a member without a field, a value that its field cannot hold.
func set(value, doc any) error { return setValue(reflect.ValueOf(value).Elem(), doc) }

func setValue(v reflect.Value, doc any) error {
	switch at := v.Addr().Interface().(type) {
	case *time.Time:
		seconds, ok := doc.(float64)
		*at = time.UnixMilli(int64(seconds * 1000)).UTC()
		return holds(ok, v, doc)
	case *[]byte:
		text, _ := doc.(string)
		b, err := base64.StdEncoding.DecodeString(text)
		*at = b
		return err
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return setValue(v.Elem(), doc)
	case reflect.Struct:
		return setFields(v, doc)
	case reflect.Slice:
		return setList(v, doc)
	case reflect.Map:
		return setMap(v, doc)
	case reflect.String:
		text, ok := doc.(string)
		v.SetString(text)
		return holds(ok, v, doc)
	case reflect.Bool:
		is, ok := doc.(bool)
		v.SetBool(is)
		return holds(ok, v, doc)
	case reflect.Int32, reflect.Int64:
		n, ok := doc.(float64)
		v.SetInt(int64(n))
		return holds(ok, v, doc)
	case reflect.Float32, reflect.Float64:
		n, ok := doc.(float64)
		v.SetFloat(n)
		return holds(ok, v, doc)
	default:
		return holds(false, v, doc)
	}
}

func holds(ok bool, v reflect.Value, doc any) error {
	if !ok {
		return fmt.Errorf("%v cannot hold %v", v.Type(), doc)
	}
	return nil
}

func setFields(v reflect.Value, doc any) error {
	members, ok := doc.(map[string]any)
	if !ok {
		return holds(false, v, doc)
	}
	for name, member := range members {
		field := v.FieldByName(name)
		if !field.IsValid() {
			return fmt.Errorf("%v has no field %s", v.Type(), name)
		}
		if err := setValue(field, member); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func setList(v reflect.Value, doc any) error {
	list, ok := doc.([]any)
	if !ok {
		return holds(false, v, doc)
	}
	v.Set(reflect.MakeSlice(v.Type(), len(list), len(list)))
	for i := range list {
		if err := setValue(v.Index(i), list[i]); err != nil {
			return err
		}
	}
	return nil
}

func setMap(v reflect.Value, doc any) error {
	entries, ok := doc.(map[string]any)
	if !ok {
		return holds(false, v, doc)
	}
	v.Set(reflect.MakeMap(v.Type()))
	for name, entry := range entries {
		e := reflect.New(v.Type().Elem()).Elem()
		if err := setValue(e, entry); err != nil {
			return err
		}
		v.SetMapIndex(reflect.ValueOf(name).Convert(v.Type().Key()), e)
	}
	return nil
}
