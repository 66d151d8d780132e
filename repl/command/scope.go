package command

import (
	"strings"

	"github.com/kdive/kdive/expr"
	"github.com/kdive/kdive/kernel/scope"
)

// scope is what names in expressions mean in this session. It keeps the history
// of results.
func (t *Target) scope() (*scope.Scope, error) {
	k, err := t.kernel()
	if err != nil {
		return nil, err
	}
	if t.expressions == nil {
		t.expressions = scope.New(k)
		t.bindFrame(t.expressions)
	}
	t.expressions.CPU = t.currentCPU()
	return t.expressions, nil
}

// currentCPU is the CPU of the task in context, 0 if there is none.
func (t *Target) currentCPU() int {
	if x, err := t.currentTask(); err == nil {
		return max(x.CPU, 0)
	}
	return 0
}

// expressionAddress evaluates an address operand in parentheses.
func (t *Target) expressionAddress(text string) (uint64, error) {
	s, err := t.scope()
	if err != nil {
		return 0, err
	}
	return expr.Address(s, text)
}

// isExpression tells an operand that is a C expression: one in parentheses.
func isExpression(text string) bool { return strings.HasPrefix(text, "(") }
