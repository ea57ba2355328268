package spans

import (
	"encoding/hex"
	"encoding/json"
	"strconv"
)

// The JSON form of OTLP's ExportTraceServiceRequest: ids in hexadecimal, 64-bit
// numbers as strings.
type (
	jsonRequest struct {
		ResourceSpans [1]jsonResourceSpans `json:"resourceSpans"`
	}
	jsonResourceSpans struct {
		Resource   jsonResource      `json:"resource"`
		ScopeSpans [1]jsonScopeSpans `json:"scopeSpans"`
	}
	jsonResource struct {
		Attributes []jsonAttribute `json:"attributes"`
	}
	jsonScopeSpans struct {
		Scope jsonScope  `json:"scope"`
		Spans []jsonSpan `json:"spans"`
	}
	jsonScope struct {
		Name string `json:"name"`
	}
	jsonSpan struct {
		TraceID    string          `json:"traceId"`
		SpanID     string          `json:"spanId"`
		Parent     string          `json:"parentSpanId,omitempty"`
		Flags      int             `json:"flags"`
		Name       string          `json:"name"`
		Kind       Kind            `json:"kind"`
		Start      string          `json:"startTimeUnixNano"`
		End        string          `json:"endTimeUnixNano"`
		Attributes []jsonAttribute `json:"attributes,omitempty"`
		Status     jsonStatus      `json:"status"`
	}
	jsonStatus struct {
		Code    int    `json:"code,omitempty"` // 2 for an error
		Message string `json:"message,omitempty"`
	}
	jsonAttribute struct {
		Key   string    `json:"key"`
		Value jsonValue `json:"value"`
	}
	// jsonValue has one of its fields.
	jsonValue struct {
		String *string  `json:"stringValue,omitempty"`
		Bool   *bool    `json:"boolValue,omitempty"`
		Int    *string  `json:"intValue,omitempty"`
		Double *float64 `json:"doubleValue,omitempty"`
	}
)

// encode gives the body of a request.
func encode(resource []Attribute, batch []Span) []byte {
	list := make([]jsonSpan, len(batch))
	for i, s := range batch {
		list[i] = jsonSpan{
			TraceID: hex.EncodeToString(s.Trace[:]), SpanID: hex.EncodeToString(s.Span[:]), Flags: 1,
			Name: s.Name, Kind: s.Kind,
			Start: strconv.FormatInt(s.Start.UnixNano(), 10), End: strconv.FormatInt(s.End.UnixNano(), 10),
			Attributes: encodeAttributes(s.Attributes),
		}
		if s.Parent != (SpanID{}) {
			list[i].Parent = hex.EncodeToString(s.Parent[:])
		}
		if s.Error != "" {
			list[i].Status = jsonStatus{Code: 2, Message: s.Error}
		}
	}
	body, err := json.Marshal(jsonRequest{[1]jsonResourceSpans{{
		Resource:   jsonResource{encodeAttributes(resource)},
		ScopeSpans: [1]jsonScopeSpans{{Scope: jsonScope{"deepprune/server"}, Spans: list}},
	}}})
	if err != nil {
		panic(err) // an attribute that is not a number
	}
	return body
}

func encodeAttributes(attributes []Attribute) []jsonAttribute {
	list := make([]jsonAttribute, len(attributes))
	for i, a := range attributes {
		list[i].Key = a.Key
		v := &list[i].Value
		switch value := a.Value.(type) {
		case string:
			v.String = &value
		case bool:
			v.Bool = &value
		case int:
			text := strconv.Itoa(value)
			v.Int = &text
		case int64:
			text := strconv.FormatInt(value, 10)
			v.Int = &text
		case float64:
			v.Double = &value
		default:
			panic("spans: attribute " + a.Key + " is of a type that has no form in OTLP")
		}
	}
	return list
}
