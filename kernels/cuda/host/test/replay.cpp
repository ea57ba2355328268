// Runs the launches of a trace again: replay FILE…
#include "../trace.h"

#include <cstdio>
#include <cstdlib>
#include <sys/wait.h>
#include <unistd.h>

// Each file has a process of its own, since all have their memory at the same addresses.
int main(int count, char** files) {
	if (count < 2) return fputs("no launches\n", stderr), 2;
	int failed = 0;
	for (int i = 1; i < count; i++) {
		pid_t child = fork();
		if (child == 0) exit(dp::host::replay(files[i]) ? 0 : 1);  // a sanitizer has its say at exit
		int status = 0;
		waitpid(child, &status, 0);
		if (status != 0) fprintf(stderr, "%s: failed\n", files[i]), failed++;
	}
	printf("%d launches, %d failed\n", count - 1, failed);
	return failed > 0;
}
