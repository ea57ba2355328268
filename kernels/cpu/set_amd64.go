package cpu

func sets() []*set { return []*set{plain} }

func processorName() string { return "amd64" }

func pause(n int)
