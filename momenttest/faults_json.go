package momenttest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// faultNames are the names of the kinds in JSON.
var faultNames = map[faultKind]string{
	statusFault:      "status",
	serviceError:     "service_error",
	dropBeforeCommit: "drop_before_commit",
	dropAfterCommit:  "drop_after_commit",
	truncate:         "truncate",
	delay:            "delay",
}

type faultJSON struct {
	Fault      string     `json:"fault"`
	Status     int        `json:"status,omitempty"`
	RetryAfter string     `json:"retry_after,omitempty"`
	Delay      string     `json:"delay,omitempty"`
	On         operations `json:"on,omitempty"`
	Times      *int       `json:"times,omitempty"`
}

// operations is a name or an array of names.
type operations []string

func (o operations) MarshalJSON() ([]byte, error) {
	if len(o) == 1 {
		return json.Marshal(o[0])
	}
	return json.Marshal([]string(o))
}

func (o *operations) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil && string(text) != "null" {
		*o = operations{one}
		return nil
	}
	var all []string
	if err := json.Unmarshal(text, &all); err != nil || len(all) == 0 {
		return errors.New("on must be the name of an operation, or an array of names")
	}
	*o = all
	return nil
}

// MarshalJSON returns the fault as an object such as {"fault":"status","status":503,"on":"create
// customer","times":2}. The faults are status, service_error, drop_before_commit,
// drop_after_commit, truncate and delay; retry_after and delay are durations, such as "30s".
func (f Fault) MarshalJSON() ([]byte, error) {
	name, ok := faultNames[f.kind]
	if !ok {
		return nil, errors.New("momenttest: the zero Fault has no JSON")
	}
	j := faultJSON{Fault: name, Status: f.status, On: f.operations, Times: &f.times}
	if f.retryAfter > 0 {
		j.RetryAfter = f.retryAfter.String()
	}
	if f.kind == delay {
		j.Delay = f.delay.String()
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON returns. Without times, the fault happens once. It returns
// an error where the functions of this package panic.
func (f *Fault) UnmarshalJSON(text []byte) error {
	var j faultJSON
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&j); err != nil {
		return fmt.Errorf("momenttest: fault: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	read, err := j.fault()
	if err != nil {
		return fmt.Errorf("momenttest: fault: %w", err)
	}
	*f = read
	return nil
}

func (j faultJSON) fault() (f Fault, err error) {
	f = Fault{status: j.Status, operations: j.On, times: 1}
	for kind, name := range faultNames {
		if name == j.Fault {
			f.kind = kind
		}
	}
	responds := f.kind == statusFault || f.kind == serviceError
	least := 400
	if f.kind == statusFault {
		least = 300
	}
	if j.Times != nil {
		f.times = *j.Times
	}
	if j.RetryAfter != "" {
		if f.retryAfter, err = parseDuration("retry_after", j.RetryAfter); err != nil {
			return Fault{}, err
		}
	}
	if f.kind == delay {
		if f.delay, err = parseDuration("delay", j.Delay); err != nil {
			return Fault{}, err
		}
	}
	names := operationNames()
	switch unknown := slices.IndexFunc(j.On, func(name string) bool { return !slices.Contains(names, name) }); {
	case f.kind == noFault:
		return Fault{}, errors.New("fault must be status, service_error, drop_before_commit, drop_after_commit, truncate or delay")
	case responds && (j.Status < least || j.Status > 599):
		return Fault{}, fmt.Errorf("status must be from %d to 599", least)
	case !responds && (j.Status != 0 || j.RetryAfter != ""):
		return Fault{}, errors.New("status and retry_after are for the faults status and service_error")
	case f.kind != delay && j.Delay != "":
		return Fault{}, errors.New("delay is for the fault delay")
	case f.times < 1:
		return Fault{}, errors.New("times must be 1 or more")
	case unknown >= 0:
		return Fault{}, fmt.Errorf("on must be one of these operations, not %q: %s", j.On[unknown], strings.Join(names, ", "))
	}
	return f, nil
}

var durationForm = regexp.MustCompile(`^([0-9]{1,5}(\.[0-9]{1,3})?(ms|s|m|h)){1,3}$`)

func parseDuration(name, text string) (time.Duration, error) {
	if !durationForm.MatchString(text) {
		return 0, fmt.Errorf("%s must be a duration such as 30s, 5m or 1h30m", name)
	}
	return time.ParseDuration(text)
}
