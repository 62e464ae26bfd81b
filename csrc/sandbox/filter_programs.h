/* The system call filters as BPF: compiled from rules/rules.c by libseccomp when submitter-sandbox is built. */
#ifndef SUBMITTER_SANDBOX_FILTER_PROGRAMS_H
#define SUBMITTER_SANDBOX_FILTER_PROGRAMS_H

#include <linux/filter.h>

extern const struct sock_filter filter_program_student[], filter_program_runner[];
extern const unsigned short filter_program_student_length, filter_program_runner_length;

#endif
