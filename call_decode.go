package moment

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/moment-billing/moment-go/internal/transport"
)

// The most bytes of a success that are read. Moment's objects are far smaller by their documented
// limits.
const (
	maxObject = 256 << 10
	maxAny    = 2 << 20 // through Do
)

// decoder decodes the response to a request that succeeded.
type decoder interface {
	transport.Decoder

	absent() []string // members that should always be there, and are missing
}

// resource is a pointer to one of the objects in the service's responses.
type resource[T any] interface {
	*T
	// decode decodes a response, and returns an error if it lacks a member that the object needs.
	decode(body []byte) error
	// names reports whether an id or external reference is the object's.
	names(idOrReference string) bool
	// absent returns the other missing members that the reference says are always present.
	absent() []string
}

// objectDecoder decodes the requested object into a new value, the result of the call.
type objectDecoder[T any, P resource[T]] struct {
	id     string        // the id or external reference that was requested; empty for creates
	accept func(P) error // the call's own check of the object; may be nil
	value  T
}

func (d *objectDecoder[T, P]) Decode(_ int, header http.Header, body []byte) error {
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

func (d *objectDecoder[T, P]) absent() []string { return P(&d.value).absent() }

// anyDecoder decodes into the value of a caller of Do, which may be nil.
type anyDecoder struct{ out any }

func (d anyDecoder) Decode(status int, header http.Header, body []byte) error {
	switch {
	case status == http.StatusNoContent, status == http.StatusResetContent:
		return nil
	case d.out == nil && (len(body) == 0 || json.Valid(body)):
		return nil
	case d.out == nil: // JSON of a proxy
		return notJSONError(header, body)
	case string(bytes.TrimSpace(body)) == "null":
		return errors.New("it is null")
	}
	return undecodable(json.Unmarshal(body, d.out), header, body)
}

func (d anyDecoder) absent() []string { return nil }

// undecodable returns the error of a response that cannot be decoded because of err, or nil if err
// is nil.
func undecodable(err error, header http.Header, body []byte) error {
	if isOdd(err) {
		return withoutValues(err)
	}
	return notJSONError(header, body)
}

func notJSONError(header http.Header, body []byte) error {
	// The Content-Type is unchanged, because the API key would not be found in other letters.
	return &transport.NotJSONError{Reason: fmt.Sprintf("the response body %s (Content-Type %.100q)", notJSON(body), header.Get("Content-Type"))}
}

// notJSON describes a body that is not JSON, by its first bytes.
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

// withoutValues returns the error of encoding/json without the values that it quotes, because
// errors are logged and responses contain personal data. A *json.SyntaxError is unchanged, because
// it quotes only one character.
func withoutValues(err error) error {
	var mismatch *json.UnmarshalTypeError
	var date *time.ParseError
	switch {
	case errors.As(err, &date):
		return errors.New("a time in it is not in the form of RFC 3339")
	case !errors.As(err, &mismatch):
		return err
	}
	member, reason := explain(mismatch)
	return errors.New(member + " " + reason)
}

// explain returns the member that could not be decoded, and the reason.
func explain(mismatch *json.UnmarshalTypeError) (member, reason string) {
	member, _, nested := strings.Cut(cmp.Or(mismatch.Field, "it"), ".")
	if nested {
		member = "a member of " + member // whose own name may be a key of metadata
	}
	kind, _, _ := strings.Cut(mismatch.Value, " ") // "number 1095"
	if mismatch.Type == reflect.TypeFor[Amount]() && kind == "number" {
		return member, "is not an exact integer"
	}
	if mismatch.Type.Kind() == reflect.Struct || mismatch.Type.Kind() == reflect.Map {
		return member, "is of type " + kind + ", not object"
	}
	return member, fmt.Sprintf("is of type %s, not %v", kind, mismatch.Type)
}

// isOdd reports whether decoding failed because of a member in an unexpected form, so that decoding
// leniently may succeed.
func isOdd(err error) bool {
	var syntax *json.SyntaxError
	return !errors.As(err, &syntax)
}

// lenient is an optional member that no amount depends on. It is left empty if it has an unexpected
// form.
type lenient[T any] struct{ value T }

func (l *lenient[T]) UnmarshalJSON(data []byte) error {
	var value T
	if json.Unmarshal(data, &value) == nil {
		l.value = value
	}
	return nil
}

// lenientMetadata keeps the strings among the members of metadata.
type lenientMetadata map[string]string

func (m *lenientMetadata) UnmarshalJSON(data []byte) error {
	var members map[string]json.RawMessage
	_ = json.Unmarshal(data, &members)
	for name, value := range members {
		var text string
		if json.Unmarshal(value, &text) == nil {
			if *m == nil {
				*m = lenientMetadata{}
			}
			(*m)[name] = text
		}
	}
	return nil
}

// readLeniently decodes an object into wire, a struct in which the object is embedded and its
// optional members are lenient. The error names the member.
func readLeniently(object []byte, wire any, amounts ...string) error {
	if err := checkAmounts(object, amounts...); err != nil {
		return err
	}
	err := json.Unmarshal(object, wire)
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		mismatch.Field = mismatch.Field[strings.LastIndexByte(mismatch.Field, '.')+1:] // not "Bill.id"
		if mismatch.Field == "" {
			mismatch.Type = reflect.TypeFor[map[string]any]() // an object, and not the type of wire
		}
	}
	return err
}

// readMoney decodes an object with the members amount and currency into wire. Members of an
// undocumented type are left empty, because encoding/json skips them. An inexact amount is an
// error.
func readMoney(object []byte, wire any) error {
	err := readLeniently(object, wire, "amount")
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) && mismatch.Field != "" && mismatch.Type != reflect.TypeFor[Amount]() {
		return nil
	}
	return err
}

// checkMoney returns an error if a payment or a payment request lacks its status, currency or
// amount.
func checkMoney(status string, m Money) error {
	if names := missing(member{"status", status == ""}, member{"currency", m.Currency == ""}, member{"amount", m.Amount == noAmount}); len(names) > 0 {
		return errors.New(names[0] + " is missing")
	}
	return nil
}

// inCapitals returns the code of a currency in capitals, because one of Moment's samples writes it
// in lower case. A code that is unknown in capitals too is kept as received.
func inCapitals(c Currency) Currency {
	if capitals := Currency(strings.ToUpper(string(c))); capitals != c {
		if _, err := capitals.Exponent(); err == nil {
			return capitals
		}
	}
	return c
}

// checkAmounts returns an error that names the first of an object's amounts that is not an exact
// integer. From Go 1.27, encoding/json does not name the member if the type's own UnmarshalJSON
// fails. A member may occur several times and in any letter case, because encoding/json decodes
// each occurrence.
func checkAmounts(object []byte, names ...string) error {
	inexact := make([]*json.UnmarshalTypeError, len(names))
	members := json.NewDecoder(bytes.NewReader(object))
	_, _ = members.Token() // the opening brace; other JSON values have no amounts
	for members.More() {
		var value json.RawMessage
		token, err := members.Token()
		if err != nil || members.Decode(&value) != nil {
			break
		}
		text, _ := token.(string)
		if i := slices.IndexFunc(names, func(name string) bool { return strings.EqualFold(name, text) }); i >= 0 {
			_ = errors.As(new(Amount).UnmarshalJSON(value), &inexact[i])
		}
	}
	for i, mismatch := range inexact {
		if mismatch != nil {
			mismatch.Field = names[i]
			return mismatch
		}
	}
	return nil
}

// hasID reports whether id begins with prefix and is longer.
func hasID(id, prefix string) bool { return len(id) > len(prefix) && strings.HasPrefix(id, prefix) }

// errWrongID returns the error of a response whose id does not begin with prefix.
func errWrongID(prefix string) error { return errors.New("id does not begin with " + prefix) }

// errDiffers returns the error of a response with a member that differs from the request.
func errDiffers(member string) error { return errors.New(member + " is not as it was sent") }

// member is a member of a response, and whether it is missing.
type member struct {
	name    string
	missing bool
}

// missing returns the names of the members that are missing.
func missing(members ...member) (names []string) {
	for _, m := range members {
		if m.missing {
			names = append(names, m.name)
		}
	}
	return names
}

// otherCurrency reports whether a currency was sent and the response is in another.
func otherCurrency(sent, got Currency) bool {
	return sent != "" && !strings.EqualFold(string(sent), string(got))
}
