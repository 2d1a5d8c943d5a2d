package integration_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/awslabs/aws-lambda-go-api-proxy/httpadapter"
)

// The payloads that AWS passes to a Lambda function. %[1]s is the headers with one value each,
// %[2]s the headers with all their values, %[3]s the body, and %[4]t reports whether the body is in
// base64.
const (
	// payload1 is version 1.0, from a REST API of API Gateway.
	payload1 = `{
		"resource": "/webhooks/moment", "path": "/webhooks/moment", "httpMethod": "POST",
		"headers": %[1]s,
		"multiValueHeaders": %[2]s,
		"queryStringParameters": null, "multiValueQueryStringParameters": null, "pathParameters": null, "stageVariables": null,
		"requestContext": {
			"resourceId": "2gxmpl", "resourcePath": "/webhooks/moment", "httpMethod": "POST", "extendedRequestId": "JJbxmplHYosFVYQ=",
			"requestTime": "10/Mar/2020:00:03:59 +0000", "path": "/prod/webhooks/moment", "accountId": "123456789012",
			"protocol": "HTTP/1.1", "stage": "prod", "domainPrefix": "70ixmpl4fl", "requestTimeEpoch": 1583798639428,
			"requestId": "77375676-xmpl-4b79-853a-f982474efe18", "domainName": "70ixmpl4fl.execute-api.eu-west-1.amazonaws.com", "apiId": "70ixmpl4fl",
			"identity": {"cognitoIdentityPoolId": null, "accountId": null, "caller": null, "sourceIp": "192.0.2.1", "user": null, "userAgent": "moment"}
		},
		"body": %[3]s, "isBase64Encoded": %[4]t
	}`

	// payload2 is version 2.0, from an HTTP API of API Gateway or a function URL. The adapter
	// splits its header values at commas, because AWS joins duplicate headers with commas.
	payload2 = `{
		"version": "2.0", "routeKey": "$default", "rawPath": "/webhooks/moment", "rawQueryString": "",
		"headers": %[1]s,
		"requestContext": {
			"accountId": "123456789012", "apiId": "r3pmxmplak", "domainName": "r3pmxmplak.execute-api.eu-west-1.amazonaws.com", "domainPrefix": "r3pmxmplak",
			"http": {"method": "POST", "path": "/webhooks/moment", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "moment"},
			"requestId": "JKJaXmPLvHcESHA=", "routeKey": "$default", "stage": "$default", "time": "10/Mar/2020:05:16:23 +0000", "timeEpoch": 1583817383220
		},
		"body": %[3]s, "isBase64Encoded": %[4]t
	}`

	// payloadALB is from an application load balancer.
	payloadALB = `{
		"requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/moment/49e9d65c45c6791a"}},
		"httpMethod": "POST", "path": "/webhooks/moment", "queryStringParameters": {},
		"headers": %[1]s,
		"body": %[3]s, "isBase64Encoded": %[4]t
	}`

	// payloadALBMultiValue is from one whose target group has multi-value headers enabled.
	payloadALBMultiValue = `{
		"requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/moment/49e9d65c45c6791a"}},
		"httpMethod": "POST", "path": "/webhooks/moment", "multiValueQueryStringParameters": {},
		"multiValueHeaders": %[2]s,
		"body": %[3]s, "isBase64Encoded": %[4]t
	}`
)

func onLambda1(_ *testing.T, webhook http.Handler) (string, *http.Client) {
	asSent := func(name string) string { return name } // REST APIs keep the letter case
	return onLambda(payload1, asSent, httpadapter.New(webhook).ProxyWithContext)
}

func onLambda2(_ *testing.T, webhook http.Handler) (string, *http.Client) {
	return onLambda(payload2, strings.ToLower, httpadapter.NewV2(webhook).ProxyWithContext)
}

func onLambdaALB(_ *testing.T, webhook http.Handler) (string, *http.Client) {
	return onLambda(payloadALB, strings.ToLower, httpadapter.NewALB(webhook).ProxyWithContext)
}

func onLambdaALBMultiValue(_ *testing.T, webhook http.Handler) (string, *http.Client) {
	return onLambda(payloadALBMultiValue, strings.ToLower, httpadapter.NewALB(webhook).ProxyWithContext)
}

// onLambda returns a client that passes each request to a Lambda function as a payload. The
// function name writes header names as AWS does.
func onLambda[event, result any](payload string, name func(string) string, proxy func(context.Context, event) (result, error)) (string, *http.Client) {
	return "https://example.com", &http.Client{Transport: lambda(func(r *http.Request) (int, error) {
		var e event
		text, err := payloadOf(payload, name, r)
		if err == nil {
			err = json.Unmarshal(text, &e)
		}
		if err != nil {
			return 0, err
		}
		response, err := proxy(r.Context(), e)
		if err != nil {
			return 0, err
		}
		if text, err = json.Marshal(response); err != nil { // as Lambda does
			return 0, err
		}
		var wire struct {
			StatusCode int `json:"statusCode"`
		}
		err = json.Unmarshal(text, &wire)
		return wire.StatusCode, err
	})}
}

// payloadOf writes a request as AWS does, which encodes compressed bodies in base64.
func payloadOf(payload string, name func(string) string, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	packed := r.Header.Get("Content-Encoding") != ""
	if packed {
		body = []byte(base64.StdEncoding.EncodeToString(body))
	}
	single, multi := map[string]string{name("Host"): r.Host}, map[string][]string{name("Host"): {r.Host}}
	for key, values := range r.Header {
		single[name(key)], multi[name(key)] = values[0], values // the requests of this test have no header with two values
	}
	var members [3][]byte
	for i, member := range []any{single, multi, string(body)} {
		if members[i], err = json.Marshal(member); err != nil {
			return nil, err
		}
	}
	return fmt.Appendf(nil, payload, members[0], members[1], members[2], packed), nil
}

// lambda is a transport that returns a response with only a status.
type lambda func(*http.Request) (int, error)

func (f lambda) RoundTrip(r *http.Request) (*http.Response, error) {
	defer r.Body.Close()
	status, err := f(r)
	return &http.Response{StatusCode: status, Body: io.NopCloser(bytes.NewReader(nil)), Request: r}, err
}
