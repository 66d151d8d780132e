package command

import (
	"context"

	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
)

// kmemPart is a group of kmem's options that belong together: the system's
// memory seen from one side.
type kmemPart struct {
	synopsis string
	options  []repl.Option
	records  []output.Describer
	operands bool // addresses or numbers may follow
	run      func(ctx context.Context, t *Target, c *repl.Call) error
}

// kmemParts are the groups; any of its options chooses a group.
var kmemParts = []*kmemPart{&kmemUsagePart, &kmemStatPart, &kmemZonePart, &kmemNodePart, &kmemHugePart, &kmemOffsetPart, &kmemFlagPart, &kmemMapPart, &kmemHashPart}

// addKmemParts puts the groups into the declaration of kmem.
func addKmemParts(k *repl.Command) *repl.Command {
	for i := len(kmemParts) - 1; i >= 0; i-- {
		p := kmemParts[i]
		k.Synopsis = p.synopsis + "\n" + k.Synopsis
		k.Options = append(p.options[:len(p.options):len(p.options)], k.Options...)
		k.Records = append(k.Records, p.records...)
	}
	return k
}

// kmemPartOf is the group that the options of a call choose, nil if none does.
func kmemPartOf(c *repl.Call) *kmemPart {
	for _, p := range kmemParts {
		for _, o := range p.options {
			if c.Has(o.Name) {
				return p
			}
		}
	}
	return nil
}

func (p *kmemPart) call(ctx context.Context, t *Target, c *repl.Call) error {
	if len(c.Args) > 0 && !p.operands {
		return c.Usage("no addresses go with this option")
	}
	if _, _, err := t.info(); err != nil {
		return err
	}
	return p.run(ctx, t, c)
}
