package server

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"deepprune/server/openai"
)

// checkHost refuses names that the server does not answer to. A page of any site
// can have its own name lead to this machine's loopback address (DNS rebinding),
// and its browser then takes this server for that site's; the Host header tells. An
// address instead of a name is nobody's site.
func (s *Server) checkHost(r *http.Request) *openai.Error {
	if len(s.opt.Hosts) == 0 {
		return nil
	}
	host := hostname(r.Host)
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	if slices.ContainsFunc(s.opt.Hosts, func(h string) bool { return strings.EqualFold(h, host) }) {
		return nil
	}
	return &openai.Error{
		Status: http.StatusMisdirectedRequest, Type: "invalid_request_error", Code: "unknown_host",
		Message: "This server does not answer to the name in the Host header (see --allowed-hosts).",
	}
}

// hostname is a Host header without port and brackets.
func hostname(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSuffix(host, "]"), "["), ".")
}

// checkOrigin refuses what pages of other sites ask for, but for those in Origins,
// which are told that they may read the answers. done means that the request was a
// question about this alone (a preflight), and is answered.
func (s *Server) checkOrigin(x *exchange, r *http.Request) (done bool, err *openai.Error) {
	origin := r.Header.Get("Origin")
	trusted := origin != "" && (slices.Contains(s.opt.Origins, "*") || slices.Contains(s.opt.Origins, origin))
	if len(s.opt.Origins) > 0 {
		x.Header().Add("Vary", "Origin")
	}
	if !trusted {
		if s.crossOrigin.Check(r) != nil {
			return false, &openai.Error{
				Status: http.StatusForbidden, Type: "invalid_request_error", Code: "cross_origin",
				Message: "Pages of other sites may not ask this server (see --allowed-origins).",
			}
		}
		return false, nil
	}
	x.Header().Set("Access-Control-Allow-Origin", origin)
	x.Header().Set("Access-Control-Expose-Headers", "X-Request-Id, Retry-After, "+groupHeader)
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false, nil
	}
	x.Header().Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
	// Whichever the page wants to send: OpenAI's client has a dozen of its own.
	if names := r.Header.Get("Access-Control-Request-Headers"); names != "" {
		x.Header().Set("Access-Control-Allow-Headers", names)
	}
	x.Header().Set("Access-Control-Max-Age", "600")
	x.WriteHeader(http.StatusNoContent)
	return true, nil
}
