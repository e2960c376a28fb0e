module example.com/roadstead/pause

go 1.26.0
