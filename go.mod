module github.com/kdive/kdive

go 1.26
