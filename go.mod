module deepprune

go 1.26
