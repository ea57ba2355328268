package server

import (
	"context"
	"errors"

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
	g, err := s.engine.Submit(ctx, r)
	if errors.Is(err, engine.ErrBusy) {
		return nil, s.refuse(busy(exchangeOf(ctx), "server_busy", "Too many requests wait already; try again later."))
	}
	return g, err
}

// refuse counts what is not answered for a reason of the server's.
func (s *Server) refuse(err *openai.Error) *openai.Error {
	s.metrics.refused.WithLabelValues(err.Code).Inc()
	return err
}
