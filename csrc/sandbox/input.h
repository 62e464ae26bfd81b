/* By hand: the program's standard input, as a copy that has no way back to where it came from. */
#ifndef SUBMITTER_SANDBOX_INPUT_H
#define SUBMITTER_SANDBOX_INPUT_H

/* Reads a regular file, FIFO or pipe whole, waiting for the end of what is no file. "/dev/stdin" is this process's own standard
   input from where it stands. Gives a descriptor that only reads, of memory that nobody can write, grow or execute. What can't
   be taken ends this process as wrong usage. */
int input_read(const char *path);

#endif
