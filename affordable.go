package moment

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

const (
	// smallAnswer is the size up to which an answer is decoded whatever is in it. By its documented limits, no object of Moment's
	// comes near it.
	smallAnswer = 256 << 10

	// maxCommas bounds the entries of metadata, texts with commas included.
	maxCommas = 50_000
)

// affordable finds what would take many times the memory of the answer itself to decode: metadata of very many entries, and
// what is not UTF-8, which encoding/json replaces with more than was there.
func affordable(body []byte) error {
	if len(body) <= smallAnswer {
		return nil
	}
	if !utf8.Valid(body) {
		if err := json.Unmarshal(body, new(json.RawMessage)); err != nil {
			return err // not JSON at all
		}
		return errors.New("it is not UTF-8")
	}
	var members struct{ Metadata commas }
	if err := json.Unmarshal(body, &members); err != nil {
		return err
	}
	if members.Metadata > maxCommas {
		return errors.New("it has too much metadata")
	}
	return nil
}

// commas counts those in a value, and in all values of a member that occurs again.
type commas int

func (c *commas) UnmarshalJSON(value []byte) error {
	*c += commas(bytes.Count(value, []byte{','}))
	return nil
}
