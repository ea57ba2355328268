package server

import (
	"context"

	"deepprune/engine"
)

// submit hands a group to the engine. It is the one door through which handlers do:
// the group ends when ctx, the request's, does.
func (s *Server) submit(ctx context.Context, r engine.Request) (*engine.Group, error) {
	return s.engine.Submit(ctx, r)
}
