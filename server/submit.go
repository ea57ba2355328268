package server

import (
	"context"

	"deepprune/engine"
	"deepprune/server/openai"
)

// submit hands a group to the engine. It is the one door through which handlers do:
// limits are applied here. The group ends when ctx, the request's, does. Errors are
// those of Engine.Submit, or an *openai.Error.
func (s *Server) submit(ctx context.Context, r engine.Request) (*engine.Group, error) {
	if err := s.bound(&r); err != nil {
		return nil, s.refuse(err)
	}
	return s.engine.Submit(ctx, r)
}

// refuse counts what is not answered for a reason of the server's.
func (s *Server) refuse(err *openai.Error) *openai.Error {
	s.metrics.refused.WithLabelValues(err.Code).Inc()
	return err
}
