"""What tells apart the code that makes numbers: programs by what the compiler gets, all other code by what it does."""
