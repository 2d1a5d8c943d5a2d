package moment

import (
	"encoding/json"
	"errors"
	"unicode/utf8"
)

const (
	// smallAnswer is the size up to which an answer is decoded whatever is in it. By its documented limits, no object of Moment's
	// comes near it.
	smallAnswer = 256 << 10

	// maxMembers is how many an object and the objects in it may have together.
	maxMembers = 10_000
)

// affordable finds what would take many times the memory of the answer itself to decode: objects of very many members, such as
// metadata or members of the wrong type, each of which is an error of its own; and what is not UTF-8, which encoding/json
// replaces with more than was there. What is not JSON at all is found before it is decoded.
func affordable(body []byte) error {
	switch {
	case len(body) <= smallAnswer, !json.Valid(body):
		return nil
	case !utf8.Valid(body):
		return errors.New("it is not UTF-8")
	case members(body) > maxMembers:
		return errors.New("it has too many members")
	}
	return nil
}

// members counts those of a JSON value's object and of the objects in it. What is deeper, or in lists, is none that this package
// knows, and is skipped without a cost.
func members(valid []byte) int {
	n, depth := 0, 0
	for i := 0; i < len(valid); i++ {
		switch valid[i] {
		case '"':
			for i++; valid[i] != '"'; i++ {
				if valid[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ':':
			if depth <= 2 {
				n++
			}
		}
	}
	return n
}
