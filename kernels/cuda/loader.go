//go:build cuda

package cuda

import (
	"errors"
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
		m, err := loadFirst(ctx, i.Code)
		if err != nil {
			return nil, fmt.Errorf("kernels of %s: %w", i.Name, err)
		}
		l.modules = append(l.modules, m)
	}
	return l, nil
}

// loadFirst loads the first form of an image that the driver takes: an older driver
// does not know the code that a newer compiler made, but compiles PTX.
func loadFirst(ctx *driver.Context, forms [][]byte) (m *driver.Module, err error) {
	for _, code := range forms {
		var refused error
		if m, refused = ctx.Load(code); refused == nil {
			return m, nil
		}
		err = errors.Join(err, refused)
	}
	return nil, err
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
