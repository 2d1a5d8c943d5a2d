package moment

import (
	"net/url"
	"strings"
)

// path is the operation's path, escaped, with id in the place of the placeholder: one segment,
// whatever it contains.
func (op operation) path(id string) (string, *ArgumentError) {
	before, rest, hasID := strings.Cut(op.route, "{")
	if !hasID {
		return op.route, nil
	}
	param, after, _ := strings.Cut(rest, "}")
	switch id {
	case "":
		return "", badArgument(param, "is empty")
	case ".", "..":
		// RFC 3986, section 5.2.4: these two are steps in a path, escaped or not, and would lead to
		// another endpoint.
		return "", badArgument(param, "must not be %q", id)
	}
	return before + url.PathEscape(id) + after, nil
}

// checkPath checks the escaped path that a caller of Do gives. What passes reaches the service
// exactly as given.
func checkPath(escaped string) *ArgumentError {
	if !strings.HasPrefix(escaped, "/") {
		return badArgument("path", `does not begin with "/"`)
	}
	if strings.ContainsAny(escaped, "?#") {
		return badArgument("path", `contains "?" or "#": a query goes through WithQuery, and in an identifier they are escaped`)
	}
	plain, err := url.PathUnescape(escaped)
	if err != nil || (&url.URL{Path: plain, RawPath: escaped}).EscapedPath() != escaped {
		return badArgument("path", "is not escaped: use url.PathEscape for the identifiers in it")
	}
	segments := strings.Split(escaped[1:], "/")
	for i, segment := range segments {
		segment, _ = url.PathUnescape(segment)
		if segment == "." || segment == ".." || segment == "" && i < len(segments)-1 {
			return badArgument("path", "has a segment %q, which would lead to another endpoint", segment)
		}
	}
	return nil
}

// withoutIdentifiers is how errors and logs name a path that a caller of Do gives. Moment's paths
// are /billing/, the name of a collection, and then identifiers; of any other path, only the
// beginning is taken for a name.
func withoutIdentifiers(path string) string {
	names := 1
	if strings.HasPrefix(path, "/billing/") {
		names = 2
	}
	segments := strings.SplitN(path[1:], "/", names+1)
	if len(segments) <= names {
		return path
	}
	return "/" + strings.Join(segments[:names], "/") + "/…"
}

// url is the base URL with a path and a query below it. The base URL was parsed once, by NewClient.
func (c *core) url(escapedPath string, query url.Values) url.URL {
	u := c.baseURL
	u.RawPath += escapedPath
	u.Path, _ = url.PathUnescape(u.RawPath) // was checked, or escaped here
	u.RawQuery = query.Encode()
	return u
}
