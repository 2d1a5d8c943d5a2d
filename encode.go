package moment

import (
	"bytes"
	"encoding/json"
)

// encode makes the body of a request.
func encode(in any) ([]byte, *ArgumentError) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, badArgument("body", "cannot be encoded as JSON: %v", err)
	}
	if _, verbatim := in.(json.RawMessage); !verbatim && hasReplacedText(body) {
		return nil, badArgument("body", "contains text that is not valid UTF-8, which JSON cannot carry unchanged")
	}
	return body, nil
}

// hasReplacedText reports whether json.Marshal replaced bytes that are not UTF-8, which it does without an error: a
// name would be stored that nobody wrote. It writes the replacement as an escape, and a U+FFFD of the caller's as it is.
func hasReplacedText(body []byte) bool {
	for {
		i := bytes.Index(body, []byte(`\ufffd`))
		if i < 0 {
			return false
		}
		backslashes := 1
		for i-backslashes >= 0 && body[i-backslashes] == '\\' {
			backslashes++
		}
		if backslashes%2 == 1 {
			return true // an even number is a backslash of the caller's in front of plain text
		}
		body = body[i+1:]
	}
}
