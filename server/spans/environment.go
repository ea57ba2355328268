package spans

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// FromEnvironment reads where spans go from the variables that all users of
// OpenTelemetry share (OTEL_EXPORTER_OTLP_ENDPOINT, _TRACES_ENDPOINT, _HEADERS,
// OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_SDK_DISABLED). Without an
// endpoint the Endpoint of the result is empty: no spans are wanted.
func FromEnvironment(lookup func(string) string, service string) (Options, error) {
	env := func(name string) string { return strings.TrimSpace(lookup(name)) }
	var opt Options
	if strings.EqualFold(env("OTEL_SDK_DISABLED"), "true") {
		return opt, nil
	}
	if base := env("OTEL_EXPORTER_OTLP_ENDPOINT"); base != "" {
		opt.Endpoint = strings.TrimSuffix(base, "/") + "/v1/traces"
	}
	if own := env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"); own != "" {
		opt.Endpoint = own
	}
	opt.Header = make(http.Header)
	for _, variable := range []string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"} {
		pairs, err := readPairs(env(variable))
		if err != nil {
			return opt, fmt.Errorf("%s: %w", variable, err)
		}
		for _, a := range pairs {
			opt.Header.Set(a.Key, a.Value.(string))
		}
	}
	resource, err := readPairs(env("OTEL_RESOURCE_ATTRIBUTES"))
	if err != nil {
		return opt, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	for _, a := range resource {
		if a.Key == "service.name" {
			service = a.Value.(string)
		} else {
			opt.Resource = append(opt.Resource, a)
		}
	}
	service = cmp.Or(env("OTEL_SERVICE_NAME"), service)
	opt.Resource = append([]Attribute{{"service.name", service}}, opt.Resource...)
	return opt, nil
}

// readPairs reads name=value,name=value, the values percent-encoded.
func readPairs(list string) ([]Attribute, error) {
	var pairs []Attribute
	for item := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(item) == "" {
			continue
		}
		name, value, ok := strings.Cut(item, "=")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, errors.New("an item is not name=value")
		}
		text, err := url.PathUnescape(strings.TrimSpace(value))
		if err != nil {
			return nil, fmt.Errorf("value of %s: not percent-encoded", name)
		}
		pairs = append(pairs, Attribute{name, text})
	}
	return pairs, nil
}
