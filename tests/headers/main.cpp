// Linking is the test.
int main() {}
