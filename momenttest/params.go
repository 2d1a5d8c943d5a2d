package momenttest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/moment-billing/moment-go"
)

// params reads the parameters in one JSON object of a request. It keeps the first problem and goes
// on, so that its callers check for a problem once, at the end. They must not use the values that
// they read before that.
type params struct {
	fields map[string]json.RawMessage
	path   string    // prefix of the names in details: "account.customer."
	first  **problem // shared by all objects of a request
}

func readParams(body []byte) (*params, *problem) {
	p := &params{first: new(*problem)}
	// A null decodes without an error, and leaves the map nil.
	if err := json.Unmarshal(body, &p.fields); err != nil || p.fields == nil || !utf8.Valid(body) {
		return nil, newProblem(http.StatusBadRequest, "The body must be a JSON object in UTF-8.")
	}
	return p, nil
}

// problem returns the first problem, or nil.
func (p *params) problem() *problem { return *p.first }

// failf records a problem with a parameter, unless there was one before.
func (p *params) failf(status int, name, format string, args ...any) {
	if *p.first == nil {
		*p.first = newProblem(status, "%s%s %s.", p.path, name, fmt.Sprintf(format, args...))
	}
}

func (p *params) has(name string) bool {
	_, ok := p.fields[name]
	return ok
}

func (p *params) require(names ...string) {
	for _, name := range names {
		if !p.has(name) {
			p.failf(http.StatusBadRequest, name, "is required")
		}
	}
}

// value decodes a parameter into dst and reports whether it was present and valid. Otherwise dst
// must not be used.
func value[T any](p *params, name, form string, valid func(T) bool, dst *T) bool {
	if !p.has(name) {
		return false
	}
	raw := p.fields[name]
	if string(raw) == "null" || json.Unmarshal(raw, dst) != nil || !valid(*dst) {
		p.failf(http.StatusBadRequest, name, "must be %s", form)
		return false
	}
	return true
}

// A textForm is the required form of a text parameter.
type textForm struct {
	form  string
	valid func(string) bool
}

var (
	shortText     = atMost(moment.MaxNameLength)
	metadataValue = atMost(moment.MaxMetadataValueLength)
	phoneNumber   = matching("a phone number in E.164 form, such as +27123456789", `^\+[1-9]\d{1,14}$`)
	currencyCode  = matching("an ISO 4217 code of three capital letters, such as ZAR", `^[A-Z]{3}$`)
	identifier    = textForm{"an object, an id or an external reference (1 to 255 of a-z, A-Z, 0-9, _ and -)", isReference}
	calendarDate  = textForm{
		"a calendar date in the form YYYY-MM-DD",
		func(s string) bool { _, err := time.Parse(time.DateOnly, s); return err == nil },
	}
)

// newReference is the form of an external reference on create. Moment's changelog of 16 March 2026
// reserves one prefix for each kind of object.
func newReference(reserved string) textForm {
	return textForm{
		"1 to 255 of a-z, A-Z, 0-9, _ and -, not beginning with " + reserved,
		func(s string) bool { return identifier.valid(s) && !strings.HasPrefix(s, reserved) },
	}
}

func atMost(characters int) textForm {
	return textForm{
		"a string of at most " + strconv.Itoa(characters) + " characters",
		func(s string) bool { return utf8.RuneCountInString(s) <= characters },
	}
}

func isReference(s string) bool { return moment.CheckReference(s) == nil }

func matching(form, pattern string) textForm {
	return textForm{form, regexp.MustCompile(pattern).MatchString}
}

func oneOf(values ...string) textForm {
	return textForm{strings.Join(values, " or "), func(s string) bool { return slices.Contains(values, s) }}
}

// text reads a string into dst, which keeps its value if the parameter is absent.
func (p *params) text(name string, form textForm, dst *string) bool {
	return value(p, name, form.form, form.valid, dst)
}

// integer does the same for an integer, written without a fraction or an exponent.
func (p *params) integer(name string, least, most int64, dst *int64) bool {
	form := fmt.Sprintf("an integer from %d to %d, in minor units", least, most)
	return value(p, name, form, func(n int64) bool { return least <= n && n <= most }, dst)
}

// object reads a JSON object. Details name its parameters with this one's name as a prefix.
func (p *params) object(name, form string) (*params, bool) {
	inner := &params{path: p.path + name + ".", first: p.first}
	ok := value(p, name, form, func(map[string]json.RawMessage) bool { return true }, &inner.fields)
	return inner, ok
}

// metadata merges the parameter into dst. It makes a new map, because copies share the old one.
func (p *params) metadata(dst *map[string]string) {
	sent, ok := p.object("metadata", "an object of strings")
	if !ok {
		return
	}
	if len(sent.fields) > moment.MaxMetadataPairs {
		p.failf(http.StatusBadRequest, "metadata", "may have at most %d keys", moment.MaxMetadataPairs)
	}
	merged := map[string]string{}
	maps.Copy(merged, *dst)
	for _, key := range slices.Sorted(maps.Keys(sent.fields)) { // sorted, so that the same request has the same problem
		if utf8.RuneCountInString(key) > moment.MaxMetadataKeyLength {
			p.failf(http.StatusBadRequest, "metadata", "may have keys of at most %d characters", moment.MaxMetadataKeyLength)
		}
		var text string
		sent.text(key, metadataValue, &text)
		merged[key] = text
	}
	if len(merged) > moment.MaxMetadataPairs {
		p.failf(http.StatusUnprocessableEntity, "metadata", "would have %d keys after merging; at most %d are allowed", len(merged), moment.MaxMetadataPairs)
	}
	*dst = merged
}
