package testkit

import (
	"strings"
)

// RetryRow is a row of RetryTable. A cell is the number of attempts of a call with two retries,
// followed by "?" if the outcome of the write is unknown. The outcome of a GET is never unknown.
// PostAfterDoubt is a POST whose first attempt gets no response. An update has no such column,
// because it is not sent again.
type RetryRow struct {
	Name                             string
	Failure                          Reply
	Get, Post, PostAfterDoubt, Patch string
	Why                              string
}

// RetryTable is the retry table, with a row for each status as the service's own response and as a
// gateway's.
var RetryTable = []RetryRow{
	{"400, own", Problem(400), "1", "1", "2", "1", "the service decided about the request"},
	{"400, foreign", Gateway(400), "1", "1?", "2?", "1?", "a load balancer sends it for a response it cannot parse"},
	{"401, own", Problem(401), "1", "1", "2?", "1", "rejected before processing; does not settle the first attempt"},
	{"401, foreign", Gateway(401), "1", "1", "2?", "1", "gateways send it before they forward"},
	{"402, own", Problem(402), "1", "1", "2", "1", "the service decided about the request"},
	{"402, foreign", Gateway(402), "1", "1?", "2?", "1?", "its sender is unknown"},
	{"403, own", Problem(403), "1", "1", "2?", "1", "rejected before processing; does not settle the first attempt"},
	{"403, foreign", Gateway(403), "1", "1?", "2?", "1?", "a firewall that inspects responses sends it after the commit"},
	{"404, own", Problem(404), "1", "1", "2", "1", "the service decided about the request"},
	{"404, foreign", Gateway(404), "1", "1?", "2?", "1?", "an ingress sends it while it reloads its routes, or after the commit"},
	{"405, own", Problem(405), "1", "1", "2?", "1", "rejected before processing"},
	{"405, foreign", Gateway(405), "1", "1", "2?", "1", "gateways send it before they forward"},
	{"407, foreign", Gateway(407), "1", "1", "2?", "1", "gateways send it before they forward"},
	{"408, own", Problem(408), "3", "3?", "3?", "1?", "the service gave up waiting"},
	{"408, foreign", Gateway(408), "3", "3?", "3?", "1?", "a proxy gave up waiting for the service"},
	{"409, own", Problem(409), "1", "1", "3?", "1", "a conflict, unless the first copy may be in flight"},
	{"409, foreign", Gateway(409), "1", "1?", "3?", "1?", "its sender is unknown"},
	{"410, own", Problem(410), "1", "1", "2?", "1", "any other 4xx of the service does not settle an earlier attempt"},
	{"410, foreign", Gateway(410), "1", "1?", "2?", "1?", "its sender is unknown"},
	{"413, own", Problem(413), "1", "1", "2?", "1", "rejected before processing"},
	{"413, foreign", Gateway(413), "1", "1", "2?", "1", "gateways send it before they forward"},
	{"414, foreign", Gateway(414), "1", "1", "2?", "1", "gateways send it before they forward"},
	{"418, own", Problem(418), "1", "1", "2?", "1", "any other 4xx of the service"},
	{"418, foreign", Gateway(418), "1", "1?", "2?", "1?", "its sender is unknown"},
	{"422, own", Problem(422), "1", "1", "2", "1", "the service decided about the request"},
	{"422, foreign", Gateway(422), "1", "1?", "2?", "1?", "its sender is unknown"},
	{"425, own", Problem(425), "1", "1", "2?", "1", "any other 4xx of the service"},
	{"425, foreign", Gateway(425), "1", "1?", "2?", "1?", "its sender is unknown"},
	{"429, own", Problem(429), "3", "3", "3?", "3", "a limiter rejects before it forwards"},
	{"429, foreign", Gateway(429), "3", "3", "3?", "3", "a limiter rejects before it forwards"},
	{"429 with Retry-After", Problem(429, "Retry-After: 0"), "3", "3", "3?", "3", "a limiter rejects before it forwards"},
	{"431, foreign", Gateway(431), "1", "1", "2?", "1", "gateways send it before they forward"},
	{"451, foreign", Gateway(451), "1", "1?", "2?", "1?", "its sender is unknown"},
	{"500, own", Problem(500), "3", "3?", "3?", "1?", "may have failed after it was applied"},
	{"500, foreign", Gateway(500), "3", "3?", "3?", "1?", "the status counts, not the body"},
	{"501, own", Problem(501), "1", "1?", "2?", "1?", "the service would not support the retry either"},
	{"501, foreign", Gateway(501), "1", "1?", "2?", "1?", "the service would not support the retry either"},
	{"502, own", Problem(502), "3", "3?", "3?", "1?", "a gateway lost the response"},
	{"502, foreign", Gateway(502), "3", "3?", "3?", "1?", "a gateway lost the response"},
	{"503, own", Problem(503), "3", "3?", "3?", "1?", "a dependency failed, perhaps after the commit"},
	{"503, foreign", Gateway(503), "3", "3?", "3?", "1?", "its sender may have forwarded the request"},
	{"503 with Retry-After, own", Problem(503, "Retry-After: 0"), "3", "3?", "3?", "1?", "Retry-After does not show that the request was not processed"},
	{"503 with Retry-After, foreign", Gateway(503, "Retry-After: 0"), "3", "3?", "3?", "1?", "Varnish sends it after the backend has committed"},
	{"504, own", Problem(504), "3", "3?", "3?", "1?", "a gateway did not wait for the response"},
	{"504, foreign", Gateway(504), "3", "3?", "3?", "1?", "a gateway did not wait for the response"},
	{"505, own", Problem(505), "1", "1?", "2?", "1?", "the service would not support the retry either"},
	{"505, foreign", Gateway(505), "1", "1?", "2?", "1?", "the service would not support the retry either"},
	{"507, own", Problem(507), "3", "3?", "3?", "1?", "any other 5xx"},
	{"507, foreign", Gateway(507), "3", "3?", "3?", "1?", "any other 5xx"},
	{"600", Gateway(600), "1", "1?", "2?", "1?", "not a class of HTTP"},
	{"302", Problem(302, "Location: /elsewhere"), "1", "1?", "2?", "1?", "redirects are not followed"},
	{"307", Problem(307, "Location: /elsewhere"), "1", "1?", "2?", "1?", "redirects are not followed"},
	{"308 to nowhere", Problem(308, "Location: ://"), "1", "1?", "2?", "1?", "the Location is not read"},

	{"no response", HangUp, "3", "3?", "3?", "1?", "may have been applied"},
	{"truncated", Truncated, "3", "3?", "3?", "1?", "was probably applied"},
	{"200 in HTML", Respond(200, "<html>Hello</html>", "Content-Type: text/html"), "3", "3?", "3?", "1?", "a proxy may have responded"},
	{"200 and nothing", Respond(200, ""), "3", "3?", "3?", "1?", "not JSON either"},
	{"200 of another shape", Respond(200, `{"data":[]}`), "1", "1?", "2?", "1?", "a retry would return the same"},
	{"200 and a fragment", Respond(200, `{"id":"bill_1"}`), "1", "1?", "2?", "1?", "not the whole object"},
	{"200 and another object", Respond(200, strings.ReplaceAll(BillJSON, "UBR1234567890", "UBR2")), "1", "1?", "2?", "1?", "for example from a proxy that is one response out of step"},
	{"200 with a text for a number", Respond(200, strings.Replace(BillJSON, "2000", `"2000"`, 1)), "1", "1?", "2?", "1?", "a retry would return the same"},
	{"200 too large", Respond(200, `"`+strings.Repeat("x", 256<<10)+`"`), "1", "1?", "2?", "1?", "a retry would return the same"},

	{"400 replayed", Gateway(400, Replayed), "1", "1", "2", "1?", "the first attempt ended with it; without a key there is no replay"},
	{"403 replayed", Gateway(403, Replayed), "1", "1", "2", "1?", "the first attempt ended with it"},
	{"408 replayed", Problem(408, Replayed), "3", "1?", "2?", "1?", "would be replayed again for 24 hours"},
	{"409 replayed", Problem(409, Replayed), "1", "1", "2", "1", "the first attempt ended with it"},
	{"429 replayed", Problem(429, Replayed), "3", "1", "2?", "3", "would be replayed again for 24 hours"},
	{"500 replayed", Problem(500, Replayed), "3", "1?", "2?", "1?", "would be replayed again for 24 hours"},
	{"503 with Retry-After replayed", Problem(503, "Retry-After: 0", Replayed), "3", "1?", "2?", "1?", "would be replayed again for 24 hours"},
}
