"""The tests, a module and a class for each topic. They get the store by the fixtures."""
