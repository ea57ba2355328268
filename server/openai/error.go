package openai

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
)

// Error is what went wrong with a request, in the words of OpenAI's API.
type Error struct {
	Status  int    // of HTTP
	Type    string // a kind, such as "invalid_request_error"
	Message string
	Param   string // the field at fault, "" for none
	Code    string // what is wrong with it, "" for nothing in particular
}

func (e *Error) Error() string { return e.Message }

// MarshalJSON gives the object that clients expect, {"error":{…}}.
func (e *Error) MarshalJSON() ([]byte, error) {
	type body struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    *string `json:"code"`
	}
	b := body{Message: e.Message, Type: e.Type}
	if e.Param != "" {
		b.Param = &e.Param
	}
	if e.Code != "" {
		b.Code = &e.Code
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	err := enc.Encode(map[string]body{"error": b})
	return text.Bytes(), err
}

// Write answers a request with the error.
func (e *Error) Write(w http.ResponseWriter) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		panic(err) // strings alone
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(e.Status)
	w.Write(body.Bytes())
}

// Invalid is the error of a request that makes no sense.
func Invalid(param, code, format string, args ...any) *Error {
	return &Error{
		Status: http.StatusBadRequest, Type: "invalid_request_error",
		Message: fmt.Sprintf(format, args...), Param: param, Code: code,
	}
}

// ModelNotFound is the error of a request for a model that is not served.
func ModelNotFound(name string) *Error {
	return &Error{
		Status: http.StatusNotFound, Type: "invalid_request_error", Param: "model", Code: "model_not_found",
		Message: fmt.Sprintf("The model %s does not exist or you do not have access to it.", quote(name)),
	}
}

// NotFound is the error of a request for something that is not there.
func NotFound(format string, args ...any) *Error {
	return &Error{Status: http.StatusNotFound, Type: "invalid_request_error", Code: "not_found", Message: fmt.Sprintf(format, args...)}
}

// TooLarge is the error of a body beyond a limit of bytes.
func TooLarge(limit int64) *Error {
	return &Error{
		Status: http.StatusRequestEntityTooLarge, Type: "invalid_request_error", Code: "request_too_large",
		Message: fmt.Sprintf("The body is larger than %d bytes.", limit),
	}
}

// Unavailable is the error of a server that cannot answer now.
func Unavailable(format string, args ...any) *Error {
	return &Error{Status: http.StatusServiceUnavailable, Type: "server_error", Code: "unavailable", Message: fmt.Sprintf(format, args...)}
}

// Internal is the error of a server that failed.
func Internal(format string, args ...any) *Error {
	return &Error{Status: http.StatusInternalServerError, Type: "server_error", Code: "internal_error", Message: fmt.Sprintf(format, args...)}
}

// quote quotes what a client sent, cut to a length fit for a message.
func quote(s string) string {
	const most = 80
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most]) + "…"
	}
	return fmt.Sprintf("'%s'", s)
}
