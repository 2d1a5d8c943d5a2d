package integration_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// value returns one that mostly fits a schema.
func (f *fuzzer) value(pointer string, schema map[string]any, depth int) any {
	if target, at := f.resolve(schema); at != "" {
		return f.value(at, target, depth)
	}
	for _, word := range []string{"oneOf", "anyOf"} {
		if all, ok := schema[word].([]any); ok && schema["properties"] == nil {
			i := f.IntN(len(all))
			return f.value(pointer+"/"+word+"/"+strconv.Itoa(i), all[i].(map[string]any), depth)
		}
	}
	if value, ok := schema["const"]; ok {
		return value
	}
	if all, ok := schema["enum"].([]any); ok {
		return all[f.IntN(len(all))]
	}
	kind := schema["type"]
	if kinds, ok := kind.([]any); ok {
		kind = kinds[f.IntN(len(kinds))]
	}
	switch kind {
	case "object":
		return f.object(pointer, schema, depth)
	case "array":
		items := []any{}
		for range f.IntN(3) {
			items = append(items, f.value(pointer+"/items", schema["items"].(map[string]any), depth+1))
		}
		return items
	case "integer":
		candidates := []string{"0", "1", "5", "2000", "99999999", "100", "404", "-10", "9223372036854775807"}
		for range 20 {
			n := json.Number(candidates[f.IntN(len(candidates))])
			if f.validate(pointer, n) == nil {
				return n
			}
		}
		return json.Number("1")
	case "boolean":
		return f.IntN(2) == 0
	case "null":
		return nil
	case "string":
		for range 200 {
			if text := f.known[f.IntN(len(f.known))]; f.validate(pointer, text) == nil {
				return text
			}
		}
		return "x"
	default:
		return f.junk()
	}
}

func (f *fuzzer) object(pointer string, schema map[string]any, depth int) any {
	object := map[string]any{}
	properties, _ := schema["properties"].(map[string]any)
	var required []any
	required = append(required, asList(schema["required"])...)
	if all, ok := schema["oneOf"].([]any); ok { // which of the members there are
		required = append(required, asList(all[f.IntN(len(all))].(map[string]any)["required"])...)
	}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		wanted := slices.Contains(required, any(name))
		if !wanted && (depth > 3 || f.IntN(3) > 0 || schema["maxProperties"] == json.Number("1") && len(object) > 0) {
			continue
		}
		object[name] = f.value(pointer+"/properties/"+name, properties[name].(map[string]any), depth+1)
	}
	if extra, ok := schema["additionalProperties"].(map[string]any); ok {
		for range f.IntN(4) {
			object[f.known[f.IntN(len(f.known))]] = f.value(pointer+"/additionalProperties", extra, depth+1)
		}
	}
	return object
}

func asList(value any) []any {
	all, _ := value.([]any)
	return all
}

// junk is anything.
func (f *fuzzer) junk() any {
	switch f.IntN(8) {
	case 0:
		return nil
	case 1:
		return json.Number(strconv.Itoa(f.IntN(7) - 3))
	case 2:
		return json.Number("1.5")
	case 3:
		return true
	case 4:
		return map[string]any{"x": "y"}
	case 5:
		return []any{"x"}
	case 6:
		return strings.Repeat("z", f.IntN(3)*300)
	default:
		return f.known[f.IntN(len(f.known))]
	}
}

// changed changes one member of an object, at any depth, or the whole.
func (f *fuzzer) changed(value any) any {
	object, ok := value.(map[string]any)
	if !ok || f.IntN(10) == 0 {
		return f.junk()
	}
	names := slices.Sorted(maps.Keys(object))
	if len(names) == 0 || f.IntN(6) == 0 {
		object["unknown"] = f.junk()
		return object
	}
	name := names[f.IntN(len(names))]
	switch inner, deep := object[name].(map[string]any); {
	case deep && f.IntN(2) == 0:
		object[name] = f.changed(inner)
	case f.IntN(3) == 0:
		delete(object, name)
	default:
		object[name] = f.junk()
	}
	return object
}
