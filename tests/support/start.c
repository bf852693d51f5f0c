/*
 * Compiled into each test program: resets signals and standard streams before main().
 */
#include "support/reset.h"

__attribute__((constructor)) static void
start_from_defaults(void)
{
    reset_signals();
    reset_streams();
}
