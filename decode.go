package moment

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/moment-billing/moment-go/internal/transport"
)

// How much of a success is read, in bytes. By its documented limits, no object of Moment's comes
// near it.
const (
	maxObject = 256 << 10
	maxAny    = 2 << 20 // through Do
)

// resource is a pointer to one of the objects in the service's responses.
type resource[T any] interface {
	*T
	// decode decodes a response and checks it for the members without which it is not such an
	// object.
	decode(body []byte) error
	// names reports whether the object has this id or external reference.
	names(idOrReference string) bool
	// absent lists other members that are missing although the reference says that they are always
	// present.
	absent() []string
}

// decodeObject decodes the requested object into a value of its own, which is the result of the
// call.
type decodeObject[T any, P resource[T]] struct {
	id     string        // the id or external reference that was requested; empty for creates
	accept func(P) error // what else the call asks of the object; may be nil
	value  T
}

func (d *decodeObject[T, P]) Decode(_ int, header http.Header, body []byte) error {
	object := P(&d.value)
	if err := object.decode(body); err != nil {
		return undecodable(err, header, body)
	}
	if d.id != "" && !object.names(d.id) {
		return errors.New("neither id nor external_reference is the requested one")
	}
	if d.accept != nil {
		return d.accept(object)
	}
	return nil
}

// decodeAny decodes into the value that a caller of Do passed.
type decodeAny struct{ out any }

func (d decodeAny) Decode(status int, header http.Header, body []byte) error {
	if status == http.StatusNoContent || status == http.StatusResetContent {
		return nil
	}
	return undecodable(json.Unmarshal(body, d.out), header, body)
}

// undecodable is the error of a response that cannot be decoded because of err, nil if that is nil.
func undecodable(err error, header http.Header, body []byte) error {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return withoutValues(err)
	}
	return &transport.NotJSONError{Reason: fmt.Sprintf("the response body %s (Content-Type %q)", notJSON(body), header.Get("Content-Type"))}
}

// notJSON says what a body is that is not JSON, as far as its first bytes show.
func notJSON(body []byte) string {
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return "is empty"
	case bytes.HasPrefix(body, []byte("\x1f\x8b")):
		return "is compressed with gzip, and nothing decompressed it"
	case bytes.HasPrefix(body, []byte("\xef\xbb\xbf")), bytes.HasPrefix(body, []byte("\xfe\xff")), bytes.HasPrefix(body, []byte("\xff\xfe")):
		return "begins with a byte order mark"
	default:
		return "is not JSON"
	}
}

// decodeLenient decodes an object. An optional member in an unexpected form is left empty, as no
// money depends on it; metadata keeps its strings. The error is that of another member.
func decodeLenient[T any](data []byte, v *T, optional ...string) error {
	before := *v
	err := json.Unmarshal(data, v)
	var syntax *json.SyntaxError
	if err == nil || errors.As(err, &syntax) {
		return err
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(data, &members) != nil {
		return err // not an object
	}
	for name, value := range members {
		isOptional := slices.ContainsFunc(optional, func(s string) bool { return strings.EqualFold(s, name) })
		if !isOptional || decodes[T](name, value) {
			continue
		}
		delete(members, name)
		if strings.EqualFold(name, "metadata") {
			members["metadata"] = onlyStrings(value)
		}
	}
	*v = before
	data, _ = json.Marshal(members) //nolint:errchkjson // it came from JSON
	return json.Unmarshal(data, v)
}

// decodes reports whether a T with this member can be decoded.
func decodes[T any](name string, value json.RawMessage) bool {
	data, _ := json.Marshal(map[string]json.RawMessage{name: value}) //nolint:errchkjson // it came from JSON
	return json.Unmarshal(data, new(T)) == nil
}

// onlyStrings returns the members of a JSON object whose values are strings, null if it is not an
// object.
func onlyStrings(object json.RawMessage) json.RawMessage {
	var members map[string]json.RawMessage
	_ = json.Unmarshal(object, &members)
	for name, value := range members {
		if !bytes.HasPrefix(value, []byte(`"`)) {
			delete(members, name)
		}
	}
	data, _ := json.Marshal(members) //nolint:errchkjson // it came from JSON
	return data
}

// hasID reports whether id begins with prefix and goes on.
func hasID(id, prefix string) bool { return len(id) > len(prefix) && strings.HasPrefix(id, prefix) }

// absentMembers returns the names whose values are empty.
func absentMembers(members ...member) []string {
	var absent []string
	for _, m := range members {
		if m.value == "" {
			absent = append(absent, m.name)
		}
	}
	return absent
}

// member is a member of a JSON object with a string as its value.
type member struct{ name, value string }

// errNoID is the error of an object without an id that begins with prefix.
func errNoID(prefix string) error { return errors.New("id does not begin with " + prefix) }

// errOther is the error of an object whose member is not as it was sent.
func errOther(member string) error { return errors.New(member + " is not as it was sent") }

// otherCurrency reports whether a response is in another currency than the one that was sent, if
// one was.
func otherCurrency(sent, got Currency) bool {
	return sent != "" && !strings.EqualFold(string(sent), string(got))
}
