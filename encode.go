package moment

import (
	"encoding/json"
	"unicode/utf8"
)

// encode makes the body of a request.
func encode(in any) ([]byte, *ArgumentError) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, badArgument("body", "cannot be encoded as JSON: %v", err)
	}
	return body, nil
}

// text is a text among some parameters, with the service's name for it.
type text struct{ param, value string }

// checkTexts refuses text that is not valid UTF-8. JSON cannot carry it, and encoding/json replaces
// it without an error: a name would be stored that nobody wrote.
func checkTexts(metadata map[string]string, texts ...text) *ArgumentError {
	for _, t := range texts {
		if !utf8.ValidString(t.value) {
			return badArgument(t.param, "is not valid UTF-8")
		}
	}
	for key, value := range metadata {
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return badArgument("metadata", "is not valid UTF-8")
		}
	}
	return nil
}

// within puts the parameter that an object stands in before the one that is wrong in it:
// "account.customer".
func within(param string, err *ArgumentError) *ArgumentError {
	if err != nil {
		err.Param = param + "." + err.Param
	}
	return err
}

// checkReference checks the id or reference of an existing object.
func checkReference(reference, param string) *ArgumentError {
	if reference == "" {
		return badArgument(param, "is empty")
	}
	return checkTexts(nil, text{param, reference})
}

// value is what p points to, or the zero value.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
