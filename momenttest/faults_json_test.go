package momenttest_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go/momenttest"
)

func TestFaultJSON(t *testing.T) {
	for want, f := range map[string]momenttest.Fault{
		`{"fault":"status","status":503,"on":"create customer","times":2}`:                  momenttest.Status(503).On("create customer").Times(2),
		`{"fault":"status","status":429,"retry_after":"30s","times":1}`:                     momenttest.RateLimit(30 * time.Second),
		`{"fault":"service_error","status":422,"on":["create bill","void bill"],"times":1}`: momenttest.ServiceError(422).On("create bill", "void bill"),
		`{"fault":"drop_before_commit","times":1}`:                                          momenttest.DropBeforeCommit(),
		`{"fault":"drop_after_commit","times":1}`:                                           momenttest.DropAfterCommit(),
		`{"fault":"truncate","times":1}`:                                                    momenttest.Truncate(),
		`{"fault":"delay","delay":"1m30s","times":1}`:                                       momenttest.Delay(90 * time.Second),
	} {
		text, err := json.Marshal(f)
		require.NoError(t, err)
		require.JSONEq(t, want, string(text))
		var read momenttest.Fault
		require.NoError(t, json.Unmarshal(text, &read))
		require.Equal(t, f, read)
	}
	var once momenttest.Fault
	require.NoError(t, json.Unmarshal([]byte(`{"fault":"truncate"}`), &once))
	require.Equal(t, momenttest.Truncate(), once)
	_, err := json.Marshal(momenttest.Fault{})
	require.ErrorContains(t, err, "the zero Fault has no JSON")
}

func TestFaultJSONRejects(t *testing.T) {
	for text, want := range map[string]string{
		`{}`:                                       "fault must be status, service_error, drop_before_commit, drop_after_commit, truncate or delay",
		`{"fault":"statues"}`:                      "fault must be status",
		`{"fault":"status"}`:                       "status must be from 300 to 599",
		`{"fault":"service_error","status":399}`:   "status must be from 400 to 599",
		`{"fault":"status","status":600}`:          "status must be from 300 to 599",
		`{"fault":"truncate","status":503}`:        "status and retry_after are for the faults status and service_error",
		`{"fault":"truncate","retry_after":"1s"}`:  "status and retry_after are for the faults status and service_error",
		`{"fault":"truncate","delay":"1s"}`:        "delay is for the fault delay",
		`{"fault":"delay"}`:                        "delay must be a duration such as 30s, 5m or 1h30m",
		`{"fault":"delay","delay":"-1s"}`:          "delay must be a duration",
		`{"fault":"delay","delay":1}`:              "cannot unmarshal number",
		`{"fault":"truncate","times":0}`:           "times must be 1 or more",
		`{"fault":"truncate","on":"create table"}`: `on must be one of these operations, not "create table": create customer`,
		`{"fault":"truncate","on":[]}`:             "on must be the name of an operation, or an array of names",
		`{"fault":"truncate","on":null}`:           "on must be the name of an operation, or an array of names",
		`{"fault":"truncate","one":"get bill"}`:    `unknown field "one"`,
	} {
		var f momenttest.Fault
		err := json.Unmarshal([]byte(text), &f)
		require.ErrorContains(t, err, want, text)
		require.ErrorContains(t, err, "momenttest: fault: ", text)
	}
}
