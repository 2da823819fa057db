from mitsuba_mei.objectives import Objective, check_neurons


class PowerMean(Objective):
    def __init__(self, neurons, exponent):
        super().__init__(check_neurons(neurons))
        self.exponent = exponent

    def forward(self, responses):
        return responses.abs().pow(self.exponent).mean(1).pow(1 / self.exponent)
