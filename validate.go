package moment

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// argErrorf returns an ArgumentError whose Op is filled in by the call.
func argErrorf(param, reason string, args ...any) error {
	return &ArgumentError{Param: param, Reason: fmt.Sprintf(reason, args...)}
}

// withOp sets the operation of an ArgumentError.
func withOp(op string, err error) error {
	var bad *ArgumentError
	if errors.As(err, &bad) {
		bad.Op = op
	}
	return err
}

// prefixParam puts the name of the parameter that contains an object before the name of the wrong
// parameter in it: "account.customer".
func prefixParam(param string, err error) error {
	var bad *ArgumentError
	if errors.As(err, &bad) {
		bad.Param = param + "." + bad.Param
	}
	return err
}

// param is a text in the params of a call, with the service's name for it.
type param struct{ name, value string }

// checkTexts rejects text that is not valid UTF-8. encoding/json replaces it without an error, and
// the service would store a wrong name.
func checkTexts(metadata map[string]string, params ...param) error {
	for _, p := range params {
		if !utf8.ValidString(p.value) {
			return argErrorf(p.name, "is not valid UTF-8")
		}
	}
	for key, value := range metadata {
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return argErrorf("metadata", "is not valid UTF-8")
		}
	}
	return nil
}

// MaxBillAmount is the largest amount due of a bill, in minor units. The smallest is 1.
const MaxBillAmount Amount = 99_999_999

// The limits of Moment's reference. The client does not enforce them or [MaxBillAmount], because
// the service checks them. A program that imports a file can check them before its first call.
const (
	MaxNameLength          = 255 // characters of a name, and of an email
	MaxMetadataPairs       = 10  // pairs of an object, after merging
	MaxMetadataKeyLength   = 40  // characters
	MaxMetadataValueLength = 500 // characters
)

const maxReferenceLength = 255

// CheckReference reports whether reference has the form of an external reference: 1 to 255 of a-z,
// A-Z, 0-9, "_" and "-". The error is an [*ArgumentError], which does not contain the reference.
//
// It does not check the prefix of a reference, because that depends on the object: the service
// rejects bcus_ for customers and bills, and bacc_ for accounts.
func CheckReference(reference string) error {
	var reason string
	i := strings.IndexFunc(reference, func(r rune) bool { return r > unicode.MaxASCII || !isLetterOrDigit(byte(r)) && r != '_' && r != '-' })
	switch {
	case reference == "":
		reason = "is empty"
	case i >= 0:
		r, _ := utf8.DecodeRuneInString(reference[i:])
		reason = fmt.Sprintf(`must not contain %q (%[1]U): an external reference has only a-z, A-Z, 0-9, "_" and "-"`, r)
	case len(reference) > maxReferenceLength:
		reason = fmt.Sprintf("has %d characters: %d are allowed", len(reference), maxReferenceLength)
	default:
		return nil
	}
	return &ArgumentError{Op: "check reference", Param: "reference", Reason: reason}
}

// checkIdentifier checks an id or external reference for a path. Moment's ids and references do not
// contain the characters that it rejects. A proxy may decode them (nginx does, with a URI in
// proxy_pass), and then the request reaches another endpoint.
func checkIdentifier(id, name string) error {
	switch id {
	case "":
		return argErrorf(name, "is empty")
	case ".", "..":
		// RFC 3986, section 5.2.4: these two are steps in a path, escaped or not.
		return argErrorf(name, "must not be %q", id)
	}
	if i := strings.IndexFunc(id, func(r rune) bool { return strings.ContainsRune(`/\%?#;`, r) || unicode.IsControl(r) }); i >= 0 {
		r, _ := utf8.DecodeRuneInString(id[i:])
		return argErrorf(name, "must not contain %q, which a proxy could decode to reach another endpoint", r)
	}
	return nil
}

// checkExisting checks the id or external reference of an existing object.
func checkExisting(idOrReference, name string) error {
	if idOrReference == "" {
		return argErrorf(name, "is empty")
	}
	return checkTexts(nil, param{name, idOrReference})
}

// deref returns what p points to, or the zero value.
func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// checkDate rejects a day that does not exist. The zero Date is valid, because dates are optional.
func checkDate(d Date, name string) error {
	if d.IsZero() || d.valid() {
		return nil
	}
	return argErrorf(name, "%s", d.problem())
}

func checkMaxRetries(n int) error {
	if n < 0 {
		return argErrorf("max retries", "is negative")
	}
	return nil
}

// checkAttemptTimeout rejects a duration from a bare integer.
func checkAttemptTimeout(d time.Duration) error {
	if d < time.Millisecond {
		return argErrorf("attempt timeout", "must be at least 1ms, not %v: write 30*time.Second", d)
	}
	return nil
}

// checkPath checks the escaped path of a caller of Do. A path that passes reaches the service
// unchanged.
func checkPath(escaped string) error {
	if !strings.HasPrefix(escaped, "/") {
		return argErrorf("path", `does not begin with "/"`)
	}
	if strings.ContainsAny(escaped, "?#") {
		return argErrorf("path", `contains "?" or "#": a query goes through WithQuery, and in an identifier they are escaped`)
	}
	plain, err := url.PathUnescape(escaped)
	if err != nil || (&url.URL{Path: plain, RawPath: escaped}).EscapedPath() != escaped {
		return argErrorf("path", "is not escaped: use url.PathEscape for the identifiers in it")
	}
	segments := strings.Split(escaped[1:], "/")
	for i, segment := range segments {
		segment, _ = url.PathUnescape(segment)
		if segment == "." || segment == ".." || segment == "" && i < len(segments)-1 {
			return argErrorf("path", "has a segment %q, which would lead to another endpoint", segment)
		}
	}
	return nil
}

func checkDo(method, path string, in, out any) error {
	if err := checkPath(path); err != nil {
		return err
	}
	if !isUpper(method) {
		return argErrorf("method", "%.20q is not an HTTP method in capital letters", method)
	}
	if method == http.MethodGet && in != nil {
		return argErrorf("in", "must be nil: a GET has no body")
	}
	if method == http.MethodHead && out != nil {
		return argErrorf("out", "must be nil: the response to a HEAD has no body")
	}
	// Checked before the call, because afterwards a write would be applied and reported as failed.
	if out != nil && (reflect.ValueOf(out).Kind() != reflect.Pointer || reflect.ValueOf(out).IsNil()) {
		return argErrorf("out", "is not a pointer to decode into")
	}
	return nil
}

func isUpper(method string) bool {
	for _, r := range method {
		if r < 'A' || r > 'Z' {
			return false
		}
	}
	return method != ""
}

// isHeaderName reports whether name is a token (RFC 9110, section 5.6.2).
func isHeaderName(name string) bool {
	for i := range len(name) {
		if c := name[i]; !isLetterOrDigit(c) && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return name != ""
}

func isLetterOrDigit(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

func isHeaderValue(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// isIdempotencyKey reports whether a key has the form of Moment's reference, in ASCII.
func isIdempotencyKey(key string) bool {
	for i := range len(key) {
		if !isLetterOrDigit(key[i]) && key[i] != '-' {
			return false
		}
	}
	return key != "" && len(key) <= 255
}

const (
	secretKeyPrefix = "sk_"
	testKeyPrefix   = "sk_test_"
	publicKeyPrefix = "pk_"
)

// checkSecretKey never puts the key, or a part of it, into its error.
func checkSecretKey(key string) error {
	var reason string
	switch {
	case key == "":
		reason = "is empty"
	case strings.ContainsFunc(key, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		reason = "contains white space or a control character, perhaps a line break at its end"
	case strings.ContainsFunc(key, func(r rune) bool { return r == '"' || r == '\\' || r > unicode.MaxASCII }): // because redact must find the key in JSON
		reason = "contains a quotation mark, a backslash or a character that is not ASCII"
	case strings.HasPrefix(key, publicKeyPrefix):
		reason = "is a public key (pk_…), which cannot run billing operations; use a secret key (sk_…)"
	case !strings.HasPrefix(key, secretKeyPrefix):
		reason = "does not begin with sk_"
	case key == secretKeyPrefix, key == testKeyPrefix, key+"_" == testKeyPrefix:
		reason = "has nothing after its prefix"
	default:
		return nil
	}
	return argErrorf("secret key", "%s", reason)
}
