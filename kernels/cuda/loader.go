//go:build cuda

package cuda

import (
	"fmt"

	"deepprune/kernels/cuda/driver"
	"deepprune/kernels/cuda/image"
)

// loader finds kernels by name and keeps the first error.
type loader struct {
	ctx     *driver.Context
	modules []*driver.Module
	err     error
}

// newLoader loads the images for the context's GPU.
func newLoader(ctx *driver.Context) (*loader, error) {
	info := ctx.Info()
	l := &loader{ctx: ctx}
	images, err := image.For(info.Major, info.Minor)
	if err != nil {
		return nil, err
	}
	for _, i := range images {
		m, err := ctx.Load(i.Code)
		if err != nil {
			return nil, fmt.Errorf("kernels of %s: %w", i.Name, err)
		}
		l.modules = append(l.modules, m)
	}
	return l, nil
}

// function finds a kernel.
func (l *loader) function(name string) driver.Function {
	for _, m := range l.modules {
		if f, ok := m.Function(name); ok {
			return f
		}
	}
	if l.err == nil {
		l.err = fmt.Errorf("no kernel %q", name)
	}
	return driver.Function{}
}

// shared finds a kernel that is launched with so many bytes of dynamic shared memory,
// at most.
func (l *loader) shared(name string, bytes int) driver.Function {
	f := l.function(name)
	if l.err == nil {
		if err := l.ctx.SetShared(f, bytes); err != nil {
			l.err = fmt.Errorf("kernel %s: %w", name, err)
		}
	}
	return f
}
