// Package operations has the type of the console's API.
package operations

type ConsoleAPI struct{ Logger func(string, ...any) }

func NewConsoleAPI(any) *ConsoleAPI { return &ConsoleAPI{} }
