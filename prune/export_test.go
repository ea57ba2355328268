package prune

// Draw is draw, for the transcription of the published method in the tests.
var Draw = draw
